"""A new unlearning method in one file: forget with a fresh last layer.

python examples/new_method.py

The class below is all that a method needs. To search it on several cores or a cluster, put it into a
package with an entry point, so that the workers find it: see docs/adding-a-method.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import unlearnbench as ub
from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import param
from benchmarks.methods import Method, register

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class ResetHeadParams:
    lr: float = param(1e-2, 1e-4, 1e0, log=True, doc="learning rate of SGD")
    epochs: int = param(3, 1, 10, doc="passes over the retain images")


@register
class ResetHead(Method):
    """Draws a new last layer and trains it on the retain images; the layers below stay as they are.

    Random: the new weights and the order of images. Cost: epochs x retain images forward and backward.
    """

    name = "reset_head"
    summary = "train a fresh last layer on the retain images"
    source = "an example"
    access = Access.RETAIN
    Params = ResetHeadParams

    def unlearn(
        self, model: nn.Module, data: TrialData, params: ResetHeadParams, rng: torch.Generator
    ) -> nn.Module:
        import torch
        from torch import nn

        *_, head = (layer for layer in model.modules() if isinstance(layer, nn.Linear))
        with torch.no_grad():
            head.weight.normal_(0, 0.01, generator=rng)
            head.bias.zero_()
        optimiser = torch.optim.SGD(head.parameters(), lr=params.lr, momentum=0.9)
        for _ in range(params.epochs):
            for x, y in data.retain.batches(64, rng):
                optimiser.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimiser.step()
        return model


def main() -> None:
    """Run the method with five learning rates and print each distance to retraining, next to fine-tuning."""
    digits = ub.prepare_scenario(ub.Scenario("digits", "cnn2", "full_class", "8"))
    print(f"{'method':12} {'lr':>8} {'forget accuracy':>16} {'gap':>6}")
    for method, lr in [*(("reset_head", 10.0**-n) for n in (4, 3, 2, 1, 0)), ("finetune", 0.02)]:
        result = ub.run_trial(digits, method, {"lr": lr}, seed=1)
        values = result.metrics
        print(f"{method:12} {lr:8g} {values['forget_acc']:14.1f} % {values['gap']:6.1f}")


if __name__ == "__main__":
    main()
