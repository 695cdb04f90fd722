"""Search JiT's hyper-parameters for a model that you trained yourself.

python examples/own_checkpoint.py [TRIALS]

Writes `mine.pt`, a network trained by a plain PyTorch loop that stands for your own file, and searches on it.
"""

from __future__ import annotations

import sys

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import unlearnbench as ub

CHECKPOINT = "mine.pt"


def train_and_save(path: str) -> None:
    """Train a network of two convolutions on the training images of the digits, with pixels from 0 to 1."""
    digits = load_digits()
    images, _, labels, _ = train_test_split(
        digits.images, digits.target, test_size=360, stratify=digits.target, random_state=0
    )
    x = torch.tensor(images, dtype=torch.float32).unsqueeze(1) / 16
    y = torch.tensor(labels)
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(15):
        for batch in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
            optimiser.step()
    torch.save(network.state_dict(), path)


def main(trials: str = "12") -> None:
    """Train, search, and print the best parameters."""
    train_and_save(CHECKPOINT)
    plan = ub.Plan.of(
        name="mine",
        dataset="digits",
        model="cnn2",  # has the same layers; other networks are "timm:NAME" or "import:MODULE:FUNCTION"
        checkpoint={"file": CHECKPOINT, "scale": 1},  # the network takes pixels from 0 to 1
        task="full_class",
        methods=["jit"],
        search={"forget": "8", "trials": int(trials)},
        references=1,
    )
    searched = ub.search(plan, "results-mine")
    print(searched)
    print("best:", searched.best("jit"))


if __name__ == "__main__":
    main(*sys.argv[1:])
