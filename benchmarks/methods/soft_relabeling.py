"""Soft relabelling: a forget image gets the labels of the retain images that are most similar to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import Scalar, param
from benchmarks.methods.base import Method, Preset, register

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class SoftRelabelingParams:
    lr: float = param(1e-3, 1e-5, 1e-2, log=True, doc="learning rate of AdamW on the forget images")
    epochs: int = param(20, 1, 20, work=True, doc="passes over the forget images")
    temperature: float = param(1.0, 0.1, 10.0, log=True, doc="divisor of the distances between logits")
    label_smoothing: float = param(0.1, 0.0, 0.2, doc="share of a label that is spread over all classes")
    repair_lr: float = param(1e-3, 1e-5, 1e-2, log=True, doc="first learning rate of AdamW in the repair")
    repair_epochs: int = param(8, 1, 10, work=True, doc="passes over the retain images afterwards")
    batch_size: int = param(512, 16, 1024, log=True, searched=False, doc="images per step")
    retain_batch_size: int = param(
        512, 128, 1024, log=True, searched=False, doc="retain images with which a forget batch is compared"
    )
    weight_decay: float = param(5e-3, 0.0, 1.0, searched=False, doc="weight decay of AdamW")


_CIFAR: dict[str, Scalar] = {
    "lr": 1e-3,
    "epochs": 20,
    "temperature": 1.0,
    "label_smoothing": 0.1,
    "repair_lr": 1e-3,
    "repair_epochs": 8,
    "batch_size": 512,
    "retain_batch_size": 512,
    "weight_decay": 5e-3,
}


@register
class SoftRelabeling(Method):
    """Trains each forget image i towards a mixture of the labels of a random batch of retain images j:

        w_ij = softmax over j of -|h_i - h_j| / temperature        label_i = sum over j of w_ij onehot(y_j)

    h are the original's logits, the norm is Euclidean. The loss is cross-entropy with these labels,
    smoothed. Every step compares with another retain batch. Then the model is fine-tuned on the retain images
    with their true labels, while the learning rate falls to 0 along a cosine. Both phases use AdamW and
    train mode, as the published code does.

    In `full_class` no retain image has a forgotten label, so the mixtures have none either. In `sub_class`
    and `random` an image's nearest neighbours mostly share its label, and the mixture only softens it.

    Shared between trials: h.

    Shapes: h (n, num_classes), w (B, retain_batch_size), soft labels (B, num_classes).
    Random: the retain batches, drawn without replacement, the order of the images, dropout.
    Cost: forward forget + retain images once, for h; then forward and backward epochs x forget images and
    repair_epochs x retain images.

    Deviations from the published code: its relabelling updates a copy of the parameters and so has no effect;
    here it updates the model. The code computes h in train mode, in which images of a batch affect each
    other; here h is computed in eval mode.
    """

    name = "soft_relabeling"
    summary = "train forget images towards the labels of similar retain images, then fine-tune"
    source = "Akbari, Gaudi, Morshed: Machine Unlearning, 2023, section 3.1"
    access = Access.RETAIN
    shares_work = True
    Params = SoftRelabelingParams
    presets = (
        Preset("cifar10", _CIFAR, "akbari", "cifar10", "resnet18", "random", "its code"),
        Preset(
            "celeba",
            {
                **_CIFAR,
                "lr": 3e-4,
                "label_smoothing": 0.0,
                "repair_lr": 3e-4,
                "repair_epochs": 2,
                "weight_decay": 1.0,
            },
            "akbari",
            "celeba",
            "resnet18",
            "random",
            "its code",
        ),
    )

    def unlearn(
        self, model: nn.Module, data: TrialData, params: SoftRelabelingParams, rng: torch.Generator
    ) -> nn.Module:
        import torch
        from torch.nn import functional as F

        from benchmarks.toolbox.teachers import numbered, original_logits

        forget, retain = numbered(data.forget), data.retain
        on_forget, on_retain = original_logits(model, data)
        retain_labels = F.one_hot(retain.labels, data.num_classes).to(on_retain.dtype)
        repair_steps = params.repair_epochs * retain.steps(params.batch_size)
        step = data.track(model, params.epochs * forget.steps(params.batch_size) + repair_steps)

        def descend(optimiser: torch.optim.Optimizer, logits: torch.Tensor, labels: torch.Tensor) -> None:
            optimiser.zero_grad()
            logits = logits.to(on_retain.dtype)  # at least float32, also under autocast
            F.cross_entropy(logits, labels, label_smoothing=params.label_smoothing).backward()
            optimiser.step()
            step()

        model.train()
        relabelling = torch.optim.AdamW(model.parameters(), lr=params.lr, weight_decay=params.weight_decay)
        for _ in range(params.epochs):
            for x, number in forget.batches(params.batch_size, rng):
                near = retain.order(rng)[: params.retain_batch_size]
                labels = soft_labels(
                    on_forget[number], on_retain[near], retain_labels[near], params.temperature
                )
                descend(relabelling, model(x), labels)
        repair = torch.optim.AdamW(model.parameters(), lr=params.repair_lr, weight_decay=params.weight_decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(repair, repair_steps)
        for _ in range(params.repair_epochs):
            for x, y in retain.batches(params.batch_size, rng):
                descend(repair, model(x), y)
                schedule.step()
        return model.eval()


def soft_labels(
    forget: torch.Tensor, retain: torch.Tensor, labels: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Mixtures of the retain images' labels, weighted by the softmax of the negative distances.

    Args:
        forget, retain: Embeddings, shapes (B, d) and (R, d).
        labels: One-hot labels of the retain images, shape (R, classes).

    Returns:
        Rows that sum to 1, shape (B, classes).
    """
    import torch

    with torch.autocast(forget.device.type, enabled=False):  # which would round the product
        return (-torch.cdist(forget, retain) / temperature).softmax(dim=1) @ labels
