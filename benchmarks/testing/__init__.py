"""Contract checks for methods, models, metrics and data sets: the built-in ones and your own.

    from benchmarks.testing import check_method

    def test_shrink():
        check_method(Shrink())

Each function runs all checks of its kind and raises one AssertionError that lists every broken rule. They
need no test framework, and run on 400 images of digits with tiny models.
"""

from benchmarks.testing.datasets import check_dataset
from benchmarks.testing.methods import check_method
from benchmarks.testing.metrics import check_metric
from benchmarks.testing.models import check_model

__all__ = ["check_dataset", "check_method", "check_metric", "check_model"]
