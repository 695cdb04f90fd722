"""Handwritten digits that ship with scikit-learn: 1,797 images of 8x8 pixels, no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.datasets.base import DataSource, Images, datasets


def _read(_folder: Path) -> tuple[Images, Images]:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    raw = load_digits()
    x = np.rint(raw.images[..., None] * (255 / 16)).astype(np.uint8)  # 17 grey levels, kept apart
    y = raw.target.astype(np.int64)
    train, test = train_test_split(np.arange(len(y)), test_size=360, stratify=y, random_state=0)
    return Images(x[train], y[train]), Images(x[test], y[test])


datasets.add(
    DataSource(
        name="digits",
        summary="8x8 handwritten digits, bundled with scikit-learn",
        source="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI, 1998",
        classes=tuple("0123456789"),
        superclasses={
            "loops": ("0", "6", "8", "9"),
            "strokes": ("1", "4", "7"),
            "curves": ("2", "3", "5"),
        },
        channels=1,
        image_size=8,
        train_size=1437,
        test_size=360,
        mean=(0.3053,),
        std=(0.3761,),
        read=_read,
        validation_fraction=0.2,  # a tenth would leave 14 images per class to choose parameters by
    )
)
