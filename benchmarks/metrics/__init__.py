"""Metrics: pure functions of predictions; one file per metric or family."""

from benchmarks.metrics.base import Metric, default_metrics, measure, metrics

__all__ = ["Metric", "default_metrics", "measure", "metrics"]
