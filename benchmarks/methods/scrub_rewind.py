"""SCRUB+R: SCRUB, rewound to the epoch with the right amount of forgetting."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from benchmarks.access import Access, TrialData
from benchmarks.methods.base import Method, register
from benchmarks.toolbox.scrubbing import PRESETS, ScrubParams, scrub

if TYPE_CHECKING:
    import torch
    from torch import nn


@register
class ScrubRewind(Method):
    """Runs SCRUB, keeps the weights of every epoch, and returns those whose forget error is closest to r.

    r is the expected error on the forget images of a model that never saw them. The paper measures it with
    the last epoch's model, on held-out images with the distribution of the forget set. Here a method sees
    only retained held-out images, so r depends on the task:

    random: as in the paper, because forget images and held-out images have the same distribution. Each forget
        image contributes the held-out error of its label.
    full_class: no held-out image has a forgotten label, and r is 1, because a model never predicts a label
        that it was not trained on. The result is the epoch with the highest forget error.
    sub_class: not defined. The held-out images with the forgotten class's label belong to the other classes
        of its superclass, which the model knows; their error is far below that on a class it never saw,
        and the result would be a model that has forgotten almost nothing.

    Of equally close epochs the last, most repaired, is the result.

    Random, shared between trials and cost: as `scrub`, plus forget images forward once per epoch and the
    held-out images once. The weights of every epoch are kept in memory.
    """

    name = "scrub_rewind"
    summary = "SCRUB, rewound to the epoch whose forget error is closest to that of held-out images"
    source = "Kurmanji et al.: Towards Unbounded Machine Unlearning, NeurIPS 2023, SCRUB+R"
    access = Access.RETAIN
    shares_work = True
    tasks = ("full_class", "random")
    Params = ScrubParams
    presets = tuple(preset for preset in PRESETS if preset.task != "sub_class")

    def unlearn(
        self, model: nn.Module, data: TrialData, params: ScrubParams, rng: torch.Generator
    ) -> nn.Module:
        from benchmarks.evaluation import predict

        kept: list[tuple[float, dict[str, Any]]] = []

        def keep() -> None:
            error = 1 - float(predict(model, data.forget).correct.mean())
            kept.append((error, copy.deepcopy(model.state_dict())))

        scrub(model, data, params, rng, after_epoch=keep)
        expected = expected_error(model, data)
        _, weights = min(reversed(kept), key=lambda epoch: abs(epoch[0] - expected))
        model.load_state_dict(weights)
        return model.eval()


def expected_error(model: nn.Module, data: TrialData) -> float:
    """The share of the forget images that a model should get wrong, estimated from held-out images.

    The error of a label without held-out images is 1.
    """
    import numpy as np

    from benchmarks.evaluation import predict

    held_out = predict(model, data.validation)
    images = np.bincount(held_out.labels, minlength=data.num_classes)
    wrong = np.bincount(held_out.labels[~held_out.correct], minlength=data.num_classes)
    error = np.divide(wrong, images, out=np.ones(data.num_classes), where=images > 0)
    return float(error[data.forget.labels.cpu().numpy()].mean())
