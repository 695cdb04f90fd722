"""Bad teacher: unlearn by imitating an untrained network on the forget images."""

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
class BadTeacherParams:
    lr: float = param(1e-4, 1e-5, 1e-1, log=True, doc="learning rate of Adam")
    epochs: int = param(1, 1, 10, work=True, doc="passes over the forget images and the chosen retain images")
    temperature: float = param(1.0, 0.5, 5.0, log=True, doc="divisor of the logits in the divergence")
    retain_share: float = param(0.3, 0.1, 1.0, doc="share of the retain images that are used")
    batch_size: int = param(256, 32, 512, log=True, searched=False, doc="images per step")
    divergence: str = option(
        "per_image",
        choices=("per_image", "per_entry"),
        doc="mean over images, or over images and classes as in the published code; hardly matters to Adam",
    )


_PUBLISHED: dict[str, Scalar] = {
    "lr": 1e-4,
    "epochs": 1,
    "temperature": 1.0,
    "retain_share": 0.3,
    "batch_size": 256,
    "divergence": "per_entry",
}


@register
class BadTeacher(Method):
    """Minimises with Adam, over forget images f and a random share of the retain images r, the

        mean of KL(p_bad(f) || p(f)) and KL(p_good(r) || p(r))        p(x) = softmax(logits / temperature)

    p is the student, which starts as the original; p_good is the original, p_bad a freshly initialised
    network of the same kind. Labels are not used.

    The student learns in train mode, as in the published code; the teachers stay in eval mode. Their logits
    do not change, so they are computed once, by each teacher for its images, before the first step.

    Shared between trials: the order in which retain images are chosen, and the original's logits on each
    whole tenth of them that is used. Each trial has its own bad teacher.

    Shapes: logits (n, num_classes).
    Random: the bad teacher, which retain images are used, their order, dropout.
    Cost: epochs x n images forward and backward and n more forward, n = forget images + retain_share x
    retain images. The published code computes both teachers' logits for every image in every epoch.

    Deviations from the published code: it averages the divergence over images x classes
    (`divergence="per_entry"`), not over images. This does not amount to another learning rate, because Adam's
    steps hardly depend on the loss's scale. Its bad teacher for ViT has a pretrained body; here all weights
    are random.
    """

    name = "bad_teacher"
    summary = "imitate a random network on the forget images and the original on retain images"
    source = "Chundawat et al.: Can Bad Teaching Induce Forgetting?, AAAI 2023"
    access = Access.RETAIN
    shares_work = True
    Params = BadTeacherParams
    presets = (
        Preset(
            "ssd",
            _PUBLISHED,
            "ssd+jit",
            "cifar10+cifar20+cifar100+pins",
            "resnet18+vgg11",
            source="code of SSD and JiT",
        ),
        Preset(
            "ssd_vit",
            {**_PUBLISHED, "batch_size": 128},
            "ssd+jit",
            "cifar10+cifar20+cifar100",
            "vit_b16",
            source="code of SSD and JiT",
        ),
        Preset(
            "defaults",
            {**_PUBLISHED, "lr": 1e-2, "epochs": 10},
            "bad-teacher",
            source="defaults of the authors' code",
        ),
    )

    def unlearn(
        self, model: nn.Module, data: TrialData, params: BadTeacherParams, rng: torch.Generator
    ) -> nn.Module:
        import torch

        from benchmarks.images import joined
        from benchmarks.toolbox.teachers import divergence, first_retain_logits, frozen_logits, numbered

        order = data.once("retain_order", data.retain.order)
        chosen = max(1, int(params.retain_share * len(order)))
        good = first_retain_logits(model, data, order, chosen)
        bad = frozen_logits(data.new_model(), data.forget)
        targets = torch.cat([bad, good])
        images = numbered(joined(data.forget, data.retain.subset(order[:chosen])))
        optimiser = torch.optim.Adam(model.parameters(), lr=params.lr)
        step = data.track(model, params.epochs * images.steps(params.batch_size))
        model.train()
        for _ in range(params.epochs):
            for x, number in images.batches(params.batch_size, rng):
                loss = divergence(targets[number], model(x), params.temperature)
                if params.divergence == "per_entry":
                    loss = loss / data.num_classes
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                step()
        return model.eval()
