"""Metrics: pure functions of predictions; one file per metric or family."""

from benchmarks.metrics.base import Metric, measure, metrics

__all__ = ["Metric", "measure", "metrics"]
