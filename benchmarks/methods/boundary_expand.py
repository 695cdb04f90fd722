"""Boundary expand: train the forget images into an extra class, then remove that class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import Scalar, option, param
from benchmarks.methods.base import Method, Preset, register

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class BoundaryExpandParams:
    lr: float = param(1e-3, 1e-6, 1e-2, log=True, doc="learning rate of SGD")
    epochs: int = param(10, 1, 15, work=True, doc="passes over the forget images")
    batch_size: int = param(64, 32, 512, log=True, searched=False, doc="images per step")
    momentum: float = param(0.9, 0.0, 0.99, searched=False, doc="momentum of SGD")
    weight_decay: float = param(0.0, 0.0, 1e-1, searched=False, doc="weight decay of SGD")
    mode: str = option(
        "eval",
        choices=("eval", "train"),
        doc="of the network while it learns; train changes batch norm's statistics and draws dropout",
    )


_PUBLISHED: dict[str, Scalar] = {"lr": 1e-5, "epochs": 10, "batch_size": 64}
_EXPERIMENT = ("boundary", "cifar10", "allcnn", "full_class")


@register
class BoundaryExpand(Method):
    """Widens the last linear layer by a shadow class, trains all forget images into it, and prunes it.

    With h the input of the last layer and W, b its weights, the logits are (W h + b, s h + t) while the
    network learns, by cross-entropy towards the shadow class and SGD; s starts as a row of a Xavier-normal
    matrix of num_classes + 1 rows, t at 0. All weights are trained. The returned model has only W and b.

    Shapes: h (B, D), s (1, D), logits (B, num_classes + 1).
    Random: s, the order of the images; with `mode="train"` also dropout.
    Cost: epochs x forget images forward and backward.
    Any forget image can be trained into the class, so the method is defined for every task; it was published
    for whole classes.

    Deviation from the published code: it learns in train mode (`mode`). With batch norm, the forget images of
    a batch are then normalised by themselves, and an offset sends them all to the shadow class. When that is
    pruned, the only remaining change is in batch norm's statistics.
    Left out: SalUn's code keeps the shadow class and counts images assigned to it as wrong. Such a model has
    one output too many for a trial, and is not the paper's. It has a `weight_decay` of 5e-4; its learning
    rate is not published, so there is no preset.
    """

    name = "boundary_expand"
    summary = "train the forget images into an extra class, then remove it"
    source = "Chen et al.: Boundary Unlearning, CVPR 2023"
    access = Access.FORGET
    Params = BoundaryExpandParams
    presets = (
        Preset("published", _PUBLISHED, *_EXPERIMENT, "its code, for one narrow AllCNN"),
        Preset("as_coded", {**_PUBLISHED, "mode": "train"}, *_EXPERIMENT, "its code"),
    )

    def unlearn(
        self, model: nn.Module, data: TrialData, params: BoundaryExpandParams, rng: torch.Generator
    ) -> nn.Module:
        import torch

        from benchmarks.toolbox.fitting import fit
        from benchmarks.toolbox.layers import last_linear

        _, last = last_linear(model, self.name)
        shadow = shadow_class(last, rng)

        def widen(layer: nn.Module, inputs: tuple[torch.Tensor, ...], logits: torch.Tensor) -> torch.Tensor:
            # In train mode only: an evaluation between two steps sees the pruned model
            return torch.cat([logits, shadow(*inputs)], dim=1) if layer.training else logits

        widened = last.register_forward_hook(widen)
        images = data.forget.relabelled(torch.full_like(data.forget.labels, data.num_classes))
        optimiser = torch.optim.SGD(
            [*model.parameters(), *shadow.parameters()],
            lr=params.lr,
            momentum=params.momentum,
            weight_decay=params.weight_decay,
        )
        model.train(params.mode == "train")
        last.train()
        fit(
            model,
            images,
            optimiser,
            epochs=params.epochs,
            batch_size=params.batch_size,
            rng=rng,
            after_step=data.track(model, params.epochs * images.steps(params.batch_size)),
        )
        widened.remove()
        return model.eval()


def shadow_class(last: nn.Linear, rng: torch.Generator) -> nn.Linear:
    """An additional output for a layer, initialised like a row of a layer with that many outputs."""
    from torch import nn

    shadow = nn.Linear(last.in_features, 1, last.bias is not None, device=rng.device, dtype=last.weight.dtype)
    std = (2 / (last.in_features + last.out_features + 1)) ** 0.5
    nn.init.normal_(shadow.weight, std=std, generator=rng)
    if last.bias is not None:
        nn.init.zeros_(shadow.bias)
    return shadow.to(last.weight.device)
