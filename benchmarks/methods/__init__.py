"""Unlearning methods: one file per method, registered by name."""

from benchmarks.methods.base import Method, NoParams, Preset, methods, register

__all__ = ["Method", "NoParams", "Preset", "methods", "register"]
