"""Data sets: images as uint8 arrays, class names, superclasses; one file per family."""

from benchmarks.datasets.base import Dataset, DataSource, Images, Pixels
from benchmarks.datasets.loading import (
    by_class,
    data_folder,
    datasets,
    load,
    load_present,
    provide,
    published_images,
    stratified,
)

__all__ = [
    "DataSource",
    "Dataset",
    "Images",
    "Pixels",
    "by_class",
    "data_folder",
    "datasets",
    "load",
    "load_present",
    "provide",
    "published_images",
    "stratified",
]
