"""A search as a user would write it without Unlearnbench, following the manuals of Ray Tune and Optuna.

A function trainable that imports torch, loads data and checkpoint, unlearns with JiT, evaluates and reports.
Run as a script: `plain_search.py CHECKPOINT TRIALS WORKERS` prints the seconds of `ray.init` and of `fit`.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from typing import Any


def trainable(config: dict[str, Any]) -> None:
    import numpy as np
    import torch
    from ray import tune
    from safetensors.torch import load_file
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    raw = load_digits()
    x = torch.tensor((raw.images[:, None] / 16 - 0.3053) / 0.3761, dtype=torch.float32)
    y = torch.tensor(raw.target)
    train, test = train_test_split(np.arange(len(y)), test_size=360, stratify=raw.target, random_state=0)
    parts = {
        "forget": train[raw.target[train] == 8],
        "retain": train[raw.target[train] != 8],
        "test_forget": test[raw.target[test] == 8],
        "test_retain": test[raw.target[test] != 8],
    }
    loaders = {k: DataLoader(TensorDataset(x[i], y[i]), batch_size=128) for k, i in parts.items()}
    model = nn.Sequential(
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
    model.load_state_dict(load_file(config["checkpoint"]))

    optimiser = torch.optim.SGD(model.parameters(), lr=config["lr"])
    for images, _ in loaders["forget"]:
        optimiser.zero_grad()
        clean, loss = model(images), torch.zeros(())
        for _ in range(25):
            noised = (images + config["sigma"] * torch.randn_like(images)).clamp(images.min(), images.max())
            with torch.no_grad():
                other = model(noised)
            moved = (images - noised).flatten(1).norm(dim=1)
            loss = loss + ((clean - other).norm(dim=1) / moved).sum()
        (loss / 25).backward()
        optimiser.step()

    def accuracy(name: str) -> float:
        with torch.no_grad():
            hits = sum(int((model(a).argmax(1) == b).sum()) for a, b in loaders[name])
        return 100 * hits / len(parts[name])

    def entropy(name: str) -> Any:
        with torch.no_grad():
            p = torch.cat([model(a).softmax(1) for a, _ in loaders[name]])
        return torch.special.entr(p).sum(1, keepdim=True).nan_to_num().numpy()

    members, others = entropy("retain"), np.concatenate([entropy("test_retain"), entropy("test_forget")])
    attack = LogisticRegression(class_weight="balanced").fit(
        np.concatenate([members, others]), np.r_[np.ones(len(members)), np.zeros(len(others))]
    )
    mia = 100 * float(attack.predict(entropy("forget")).mean())
    gap = (abs(accuracy("test_retain") - 98) + accuracy("test_forget") + abs(mia - 10)) / 3
    tune.report({"gap": gap})


def main(checkpoint: str, trials: int, workers: int) -> None:
    import ray
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    began = time.perf_counter()
    ray.init(num_cpus=workers, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    ready = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        tune.Tuner(
            trainable,
            param_space={
                "lr": tune.loguniform(1e-6, 5),
                "sigma": tune.loguniform(0.01, 2),
                "checkpoint": checkpoint,
            },
            tune_config=tune.TuneConfig(
                metric="gap",
                mode="min",
                num_samples=trials,
                search_alg=OptunaSearch(),
                max_concurrent_trials=workers,
            ),
            run_config=tune.RunConfig(storage_path=scratch, verbose=0),
        ).fit()
    print(f"seconds {ready - began:.3f} {time.perf_counter() - ready:.3f}")
    ray.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
