"""Activation pruning: switch off the units that forget images excite most, then fine-tune."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.errors import UnsuitableModel
from benchmarks.hyperparameters import Scalar, option, param
from benchmarks.methods.base import Method, Preset, register

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.toolbox.masks import MaskedReLU


@dataclass(frozen=True)
class ActivationPruningParams:
    prune_first: float = param(0.01, 1e-3, 0.2, log=True, doc="share pruned at the first of five depths")
    prune_last: float = param(0.1, 1e-3, 0.2, log=True, doc="share pruned at the last of five depths")
    prune_rounds: int = param(2, 1, 4, work=True, doc="rounds of pruning, each followed by fine-tuning")
    lr: float = param(1e-3, 1e-4, 1e-2, log=True, doc="first learning rate of AdamW, which falls to 0")
    epochs: int = param(2, 1, 5, work=True, doc="passes over the retain images in every round")
    batch_size: int = param(512, 16, 2048, log=True, searched=False, doc="images per mask and per step")
    weight_decay: float = param(1e-3, 1e-5, 1e-1, log=True, searched=False, doc="weight decay of AdamW")
    prune_second: float | None = option(None, doc="share pruned at the second depth, else on the line")
    prune_third: float | None = option(None, doc="share pruned at the third depth, else on the line")
    prune_fourth: float | None = option(None, doc="share pruned at the fourth depth, else on the line")
    quantile: str = option(
        "channels",
        choices=("channels", "map"),
        doc="over the channels at each position of a map, as published code does, or over the whole map",
    )

    @property
    def shares(self) -> tuple[float, ...]:
        """The share pruned at each of the five depths; missing shares are interpolated from first to last."""
        inner = (self.prune_second, self.prune_third, self.prune_fourth)
        slope = (self.prune_last - self.prune_first) / 4
        line = (self.prune_first + i * slope if s is None else s for i, s in enumerate(inner, 1))
        return (self.prune_first, *line, self.prune_last)


_PUBLISHED: dict[str, Scalar] = {
    "prune_first": 0.01,
    "prune_second": 0.025,
    "prune_third": 0.05,
    "prune_fourth": 0.075,
    "prune_last": 0.1,
    "prune_rounds": 2,
    "lr": 1e-3,
    "epochs": 2,
    "batch_size": 512,
    "weight_decay": 1e-3,
}


@register
class ActivationPruning(Method):
    """Permanently sets the ReLU outputs that are strongest on forget images to zero, then fine-tunes.

    For a batch of forget images, a ReLU's mask is A <= the (1 - share)-quantile of A, where A (C, H, W) is
    its output averaged over the batch; after a linear layer A is (C,). At least the strongest output is
    pruned. Masks of all batches and rounds are multiplied. A mask applies as soon as it is computed, so that
    the masks of deeper layers are computed from pruned inputs. Pruning is in eval mode; it is followed by
    passes of cross-entropy over the retain images in train mode, with AdamW and a single cosine schedule over
    all rounds.

    Shares grow with depth: the first ReLU has `prune_first`, the others divide evenly, in the order
    in which the network declares them, into four groups that end with `prune_last`. (In a ResNet18 these
    are the stem and the four stages.)

    The masks are buffers of the layers that replace the ReLUs, so copies and the state_dict contain
    them. A ReLU that is used twice, as in the block of a ResNet, has one mask, with the outputs pruned in
    either use; the outputs of both must have the same shape.

    Random: the order of the images, dropout.
    Cost: prune_rounds x forget images forward, prune_rounds x epochs x retain images forward and backward.

    Paper and code disagree on the quantile: over the channels at each position of the map (the code, and the
    default here, because it gave the published results) or over the whole map (the paper,
    `quantile="map"`). Deviations from the code: in a round all masks are computed first (the code mixes the
    last of them with the first steps); the cosine falls at every step (the code's at every step or epoch in
    turn).
    """

    name = "activation_pruning"
    summary = "mask the units that forget images excite most, then fine-tune"
    source = "Akbari, Gaudi, Morshed: Machine Unlearning, 2023, section 3.3"
    access = Access.RETAIN
    Params = ActivationPruningParams
    presets = (Preset("akbari", _PUBLISHED, "akbari", "cifar10+celeba", "resnet18", "random", "its code"),)

    def unlearn(
        self, model: nn.Module, data: TrialData, params: ActivationPruningParams, rng: torch.Generator
    ) -> nn.Module:
        import torch

        from benchmarks.toolbox.fitting import fit

        masked = mask_relus(model, self.name)
        depths = [-(-4 * i // max(1, len(masked) - 1)) for i in range(len(masked))]
        optimiser = torch.optim.AdamW(model.parameters(), lr=params.lr, weight_decay=params.weight_decay)
        steps = params.prune_rounds * params.epochs * data.retain.steps(params.batch_size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        report = data.track(model, steps)

        def after_step() -> None:
            schedule.step()
            report()

        for _ in range(params.prune_rounds):
            hooks = [
                layer.relu.register_forward_hook(
                    partial(prune, layer, params.shares[depth], params.quantile == "map")
                )
                for layer, depth in zip(masked, depths, strict=True)
            ]
            model.eval()
            with torch.no_grad():
                for x, _ in data.forget.batches(params.batch_size, rng):
                    model(x)
            for hook in hooks:
                hook.remove()
            model.train()
            fit(
                model,
                data.retain,
                optimiser,
                epochs=params.epochs,
                batch_size=params.batch_size,
                rng=rng,
                after_step=after_step,
            )
        return model.eval()


def mask_relus(model: nn.Module, needed_by: str) -> list[MaskedReLU]:
    """Replace every use of every ReLU by a masked layer; returned in the order of declaration.

    Raises:
        UnsuitableModel: if there are no ReLUs.
    """
    from torch import nn

    from benchmarks.toolbox.layers import exchange, layers
    from benchmarks.toolbox.masks import MaskedReLU

    masked: dict[nn.Module, MaskedReLU] = {
        relu: MaskedReLU(relu) for relu in layers(model, nn.ReLU, needed_by).values()
    }
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if module in masked:
            exchange(model, name, masked[module])
    return list(masked.values())


def prune(
    layer: MaskedReLU, share: float, whole: bool, relu: nn.Module, inputs: object, output: torch.Tensor
) -> None:
    """Mask a layer's strongest outputs in a batch; `relu`, `inputs` and `output` come from a hook.

    Args:
        share: The share of the outputs to mask.
        whole: Compare all values of the map, not the channels at each position.
        output: The ReLU's, shape (B, C, H, W) or (B, C).
    """
    import torch

    mean = output.mean(dim=0, dtype=torch.float64)
    if layer.mask.dim() and layer.mask.shape != mean.shape:
        raise UnsuitableModel(
            "method 'activation_pruning' needs a torch.nn.ReLU for each shape of activation, but one is used "
            f"for {tuple(layer.mask.shape)} and {tuple(mean.shape)}; declare another, or leave the method out"
        )
    limit = torch.quantile(mean.flatten() if whole else mean, 1 - share, dim=0)
    layer.mask = layer.mask & (mean <= limit)
