"""Small image files and folders of them, made by tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.datasets import Images


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (48, 40), mode: str = "RGB") -> Image.Image:
    """Write a smooth picture that no other seed gives, and return it as it will be read again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 4, 3)).astype(np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode)
    image.save(path)
    with Image.open(path) as written:
        written.load()
        return written


def truncated(path: Path) -> None:
    """Write a JPEG of which the second half is missing."""
    picture(path, size=(200, 200))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def class_tree(folder: Path, counts: dict[str, int], suffix: str = "png") -> None:
    """Folders of so many different pictures each."""
    seed = 0
    for name, count in counts.items():
        for i in range(count):
            picture(folder / name / f"{i:03}.{suffix}", seed)
            seed += 1


def rows(images: Images) -> list[bytes]:
    """The pixels of every image, to compare images with."""
    return [np.asarray(x).tobytes() for x in images.x]
