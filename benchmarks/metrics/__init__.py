"""Metrics: pure functions of predictions; one file per metric or family."""

from benchmarks.metrics.base import Metric, benchmark_metrics, default_metrics, measure, metrics

__all__ = ["Metric", "benchmark_metrics", "default_metrics", "measure", "metrics"]
