"""Contract checks for methods, models, metrics and data sets: the built-in ones and your own."""

from benchmarks.testing.checks import check_dataset, check_method, check_metric, check_model

__all__ = ["check_dataset", "check_method", "check_metric", "check_model"]
