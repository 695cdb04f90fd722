"""Random labels: train on forget images with labels that change every epoch, and on the retain images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.methods.base import Method, Preset, register
from benchmarks.toolbox.relabelling import RandomLabelsParams, sgd, train_relabelled

if TYPE_CHECKING:
    import torch
    from torch import nn


@register
class RandomLabels(Method):
    """Minimises cross-entropy on forget images with random labels and retain images with true ones.

    Labels are redrawn in every epoch; training is in train mode with SGD. `amnesiac` draws labels once and
    uses Adam.

    Random: labels, order, dropout. Cost: epochs x training images forward and backward.

    Deviations from SalUn's code: a label is never the true one (`labels="any"` draws from all classes, as the
    code does); forget and retain images are shuffled together, as in the paper's equation and in the code for
    CIFAR-100 (`order="sequential"`: for CIFAR-10 the code passes the forget images first).
    """

    name = "random_labels"
    summary = "train on forget images with new random labels every epoch and on the retain images"
    source = "Fan et al.: SalUn, 2024, equation 6 and baseline RL; Golatkar et al. 2020"
    access = Access.RETAIN
    Params = RandomLabelsParams
    presets = (
        Preset(
            "salun",
            {"lr": 0.013, "epochs": 10, "batch_size": 256, "order": "sequential", "labels": "any"},
            "salun",
            "cifar10",
            "resnet18",
            "random",
            "code of SalUn",
        ),
    )

    def unlearn(
        self, model: nn.Module, data: TrialData, params: RandomLabelsParams, rng: torch.Generator
    ) -> nn.Module:
        train_relabelled(model, data, params, sgd(model, params), rng)
        return model.eval()
