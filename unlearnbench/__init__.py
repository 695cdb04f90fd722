"""Unlearnbench: hyper-parameter search and benchmarks for machine unlearning."""
