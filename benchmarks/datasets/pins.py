"""The Pins face recognition data: 17,534 pictures of 105 people, resized to 32x32."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.datasets.base import DataSource, Decoded, Files, Images
from benchmarks.datasets.decoded import Listing, decode, everything, paths, splits
from benchmarks.datasets.folders import class_folders
from benchmarks.datasets.image_folder import labelled_paths
from benchmarks.datasets.loading import data_folder, datasets, stratified
from benchmarks.datasets.pictures import central
from benchmarks.errors import DataError

# In the order of the folders, with all capital letters first; papers name people by their index
_PEOPLE = (
    "Adriana Lima",
    "Alex Lawther",
    "Alexandra Daddario",
    "Alvaro Morte",
    "Amanda Crew",
    "Andy Samberg",
    "Anne Hathaway",
    "Anthony Mackie",
    "Avril Lavigne",
    "Ben Affleck",
    "Bill Gates",
    "Bobby Morley",
    "Brenton Thwaites",
    "Brian J. Smith",
    "Brie Larson",
    "Chris Evans",
    "Chris Hemsworth",
    "Chris Pratt",
    "Christian Bale",
    "Cristiano Ronaldo",
    "Danielle Panabaker",
    "Dominic Purcell",
    "Dwayne Johnson",
    "Eliza Taylor",
    "Elizabeth Lail",
    "Emilia Clarke",
    "Emma Stone",
    "Emma Watson",
    "Gwyneth Paltrow",
    "Henry Cavil",
    "Hugh Jackman",
    "Inbar Lavi",
    "Irina Shayk",
    "Jake Mcdorman",
    "Jason Momoa",
    "Jennifer Lawrence",
    "Jeremy Renner",
    "Jessica Barden",
    "Jimmy Fallon",
    "Johnny Depp",
    "Josh Radnor",
    "Katharine Mcphee",
    "Katherine Langford",
    "Keanu Reeves",
    "Krysten Ritter",
    "Leonardo DiCaprio",
    "Lili Reinhart",
    "Lindsey Morgan",
    "Lionel Messi",
    "Logan Lerman",
    "Madelaine Petsch",
    "Maisie Williams",
    "Maria Pedraza",
    "Marie Avgeropoulos",
    "Mark Ruffalo",
    "Mark Zuckerberg",
    "Megan Fox",
    "Miley Cyrus",
    "Millie Bobby Brown",
    "Morena Baccarin",
    "Morgan Freeman",
    "Nadia Hilker",
    "Natalie Dormer",
    "Natalie Portman",
    "Neil Patrick Harris",
    "Pedro Alonso",
    "Penn Badgley",
    "Rami Malek",
    "Rebecca Ferguson",
    "Richard Harmon",
    "Rihanna",
    "Robert De Niro",
    "Robert Downey Jr",
    "Sarah Wayne Callies",
    "Selena Gomez",
    "Shakira Isabel Mebarak",
    "Sophie Turner",
    "Stephen Amell",
    "Taylor Swift",
    "Tom Cruise",
    "Tom Hardy",
    "Tom Hiddleston",
    "Tom Holland",
    "Tuppence Middleton",
    "Ursula Corbero",
    "Wentworth Miller",
    "Zac Efron",
    "Zendaya",
    "Zoe Saldana",
    "alycia dabnem carey",
    "amber heard",
    "barack obama",
    "barbara palvin",
    "camila mendes",
    "elizabeth olsen",
    "ellen page",
    "elon musk",
    "gal gadot",
    "grant gustin",
    "jeff bezos",
    "kiernen shipka",
    "margot robbie",
    "melissa fumero",
    "scarlett johansson",
    "tom ellis",
)
_IMAGES, _TEST = 17_534, 3_507  # a fifth are test images
_MANUAL = (
    "fetch 'Pins Face Recognition' by hereisburak from Kaggle, and put its 105 folders pins_<name> into "
)


@cache
def _listed(data: Path) -> Listing:
    folder = data / "pins"
    if not folder.is_dir():
        raise DataError(f"data set 'pins' is not in {data}; {_MANUAL}{folder}, or set UNLEARN_DATA")
    folders = class_folders(folder)
    names, y = labelled_paths(folders)
    people = tuple(name.removeprefix("pins_") for name in folders)
    if people != _PEOPLE or len(names) != _IMAGES:
        raise DataError(
            f"data set 'pins' has {_IMAGES} images in {len(_PEOPLE)} folders, not {len(names)} in "
            f"{len(people)}; {_MANUAL}{folder}, or use the existing folder as 'image_folder:pins'"
        )
    test = np.zeros(len(names), dtype=bool)
    test[stratified(y, _TEST)] = True
    order = np.argsort(test, kind="stable")
    return Listing(
        name="pins",
        cache=data / "decoded",
        folder=folder,
        names=tuple(names[i] for i in order),
        train=len(names) - _TEST,
        classes=_PEOPLE,
        y=y[order],
        identity=y[order],
        side=32,
        resize=central,
    )


def _decode(data: Path, skip_unreadable: bool) -> Decoded:
    return decode(_listed(data), skip_unreadable)


def _read(data: Path) -> tuple[Images, Images]:
    return splits(_listed(data))


def _read_published(data: Path) -> tuple[Images, Images]:
    whole = everything(_listed(data))
    return whole, whole


def _files() -> Files:
    return paths(_listed(data_folder()))


def _files_published() -> Files:
    train, test = _files()
    whole = (*train, *test)
    return whole, whole


_PINS = DataSource(
    name="pins",
    summary="32x32 faces of 105 people, downloaded manually",
    source="Burak: Pinterest Face Recognition Dataset, Kaggle, 2020",
    classes=_PEOPLE,
    identities=_PEOPLE,
    trained_people=len(_PEOPLE),
    channels=3,
    image_size=32,
    train_size=_IMAGES - _TEST,
    test_size=_TEST,
    mean=(0.5071, 0.4865, 0.4409),  # CIFAR-100's, as published
    std=(0.2673, 0.2564, 0.2762),
    read=_read,
    decode=_decode,
    files=_files,
    augmentation="crop_flip_rotate",
)
datasets.add(_PINS)
datasets.add(
    replace(
        _PINS,
        name="pins_published",
        summary="pins as published: tested on the training images",
        train_size=_IMAGES,
        test_size=_IMAGES,
        read=_read_published,
        files=_files_published,
    )
)
