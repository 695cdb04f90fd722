"""Data sets: images as uint8 arrays, class names, superclasses; one file per family."""

from benchmarks.datasets.base import (
    Dataset,
    DataSource,
    Images,
    data_folder,
    datasets,
    load,
)

__all__ = ["DataSource", "Dataset", "Images", "data_folder", "datasets", "load"]
