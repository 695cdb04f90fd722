"""GKT: a new network learns from the old one on generated images, behind a gate that blocks a class."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.access import Access, TrialData
from benchmarks.errors import UnsuitableModel
from benchmarks.hyperparameters import Scalar, option, param
from benchmarks.methods.base import Method, Preset, register
from benchmarks.presets import ZERO_SHOT_MODELS
from benchmarks.toolbox.precision import at_least_float32

if TYPE_CHECKING:
    import torch
    from torch import nn

LATENT = 128  # dimensions of the generator's input
LOOK_EVERY = 50  # pseudo-batches between two evaluations on real images, with `selection`


@dataclass(frozen=True)
class GktParams:
    lr: float = param(1e-3, 1e-4, 1e-2, log=True, doc="learning rate of Adam on the student")
    generator_lr: float = param(1e-3, 1e-4, 1e-2, log=True, doc="learning rate of Adam on the generator")
    beta: float = param(250.0, 0.0, 250.0, doc="weight of the attention term relative to the divergence")
    threshold: float = param(
        0.01,
        1e-3,
        0.1,
        log=True,
        doc="teacher's probability of a forget class above which an image is blocked",
    )
    temperature: float = param(1.0, 0.5, 4.0, log=True, doc="divisor of the logits in the divergence")
    pseudo_batches: int = param(
        4000, 10, 10000, log=True, searched=False, work=True, doc="batches of generated images"
    )
    batch_size: int = param(256, 32, 512, log=True, searched=False, work=True, doc="images before the gate")
    generator_steps: int = param(1, 1, 5, searched=False, doc="steps of the generator per pseudo-batch")
    student_steps: int = param(10, 1, 20, searched=False, doc="steps of the student per pseudo-batch")
    grad_clip: float | None = option(5.0, doc="largest gradient norm of a step of either network")
    divergence: str = option(
        "per_image",
        choices=("per_image", "per_entry"),
        doc="mean over images, or over images and classes, which gives beta more weight",
    )
    discrepancy: str = option(
        "kl",
        choices=("kl", "js"),
        doc="divergence of both losses: Kullback and Leibler's from the teacher, or Jensen and Shannon's",
    )
    generator_attention: bool = option(
        False, doc="the generator also maximises the difference of attention, with the weight beta"
    )
    student: str = option(
        "fresh",
        choices=("fresh", "fresh_convolutions"),
        doc="new weights in all layers, or only in convolutions, as in the port in JiT's code",
    )
    steer: bool = option(True, doc="steer the generator back when the gate blocks all images")
    selection: str = option(
        "none",
        choices=("none", "retain_images"),
        doc="choose the student and the rates by real images, as the published code does; needs them",
    )


_PUBLISHED: dict[str, dict[str, Scalar]] = {
    "cifar10": {"lr": 1e-3, "generator_lr": 1e-3, "temperature": 0.5},
    "svhn": {"lr": 1e-3, "generator_lr": 1e-3},
    "mnist": {"lr": 1e-2, "generator_lr": 1e-2},
}
_ABLATIONS: dict[str, dict[str, Scalar]] = {
    "attention": {"generator_attention": True},
    "js": {"discrepancy": "js"},
}
_REAL_IMAGES: dict[str, Scalar] = {"divergence": "per_entry", "steer": False, "selection": "retain_images"}


@register
class Gkt(Method):
    """Trains a new network, the student, to match the teacher T on images from a generator.

    For each pseudo-batch a noise z ~ N(0, I) is drawn. The generator G takes a step that maximises
    KL(T(x) || S(x)) on x = G(z), then the student S takes `student_steps` that minimise KL + beta * A on
    x = G(z), generated once more. Both see only images that pass the gate: p_T(c | x) < threshold for every
    forget class c. A sums over layers the mean squared difference of attention maps: the mean over
    channels of the squared outputs, scaled to length 1 per image. (Equations 7 to 10, algorithm 2.)
    `discrepancy` and `generator_attention` are the paper's ablations (figures 6 and 8), in which the student
    learns less or nothing: the mean of KL(T || M) and KL(S || M) with M = (T + S) / 2 in place of KL in both
    losses, or beta * A in the generator's loss as well, which it then also maximises. Layers are all
    convolutions, and linear layers over a sequence of tokens, which are convolutions of size 1; a network
    without such layers needs beta=0.

    Shapes: z (B, 128), x (B, C, H, W) on the normalised scale, a map (B, H x W).
    Modes: the teacher in eval mode, student and generator in train mode, so that the student's running
    statistics of batch norm come from generated images, those of the generator's step included. At least
    two images must pass the gate, as batch norm needs; otherwise there is no step.
    Random: z; the initial weights of student and generator, dropout.
    Cost, for n of B images that pass: (generator_steps + 1) x B forward and generator_steps x B backward
    in the teacher per pseudo-batch, and in the student n forward and backward for every step of either
    network. The passes of the generator are not counted.

    The default is strictly zero-shot: no real images are read, the result is the last student, the rates are
    constant. The published code halves the rates when the loss on retained test images stops falling, and
    keeps the student that is best on test images; `selection` does the same with training images (validation
    and forget images, every 50 pseudo-batches), and its trials are marked as having had access to them.

    Deviations: (1) the divergence is that of equation 7, a sum over classes. The code's mean over classes
    multiplies the weight of beta by the number of classes (`divergence`). Neither multiplies by the squared
    temperature. (2) Where paper and code differ on A, this method follows the code: squared norms, all
    convolutions. (3) When the generator has collapsed into the forget classes, the code waits for 100
    empty batches and loads an earlier generator. Here the generator's step on an empty batch lowers the
    teacher's log-odds of the forget classes, which needs only the teacher and has a gradient where
    probabilities do not (`steer`; without it such a batch is skipped). (4) The port in JiT's code
    initialises only the weights of convolutions, Xavier-uniform (`student`), and has many other differences
    (SGD with one cycle of the rate, a teacher in train mode); its values have no preset here.

    No preset is exactly the published code: `..._real_images` and `notebook` choose by real images and
    average like the code, but they use training images, not test images, and do not load earlier generators.

    The gate uses the teacher's probabilities at temperature 1, as published: with a higher temperature in the
    divergence the student learns more about the forget classes than the threshold suggests.
    """

    name = "gkt"
    summary = "teach a new network on generated images that do not show the forget classes"
    source = "Chundawat et al.: Zero-Shot Machine Unlearning, 2023, algorithm 2"
    access = Access.CLASS_ID
    tasks = ("full_class",)
    Params = GktParams
    presets = (
        *(
            Preset(
                name,
                values,
                "zero-shot",
                name,
                ZERO_SHOT_MODELS,
                source="section V, without its choice by test images",
            )
            for name, values in _PUBLISHED.items()
        ),
        *(
            Preset(
                f"{name}_real_images",
                {**values, **_REAL_IMAGES},
                "zero-shot",
                name,
                ZERO_SHOT_MODELS,
                source="section V, chosen by real images as in its code",
            )
            for name, values in _PUBLISHED.items()
        ),
        *(
            Preset(
                f"{name}_{ablation}",
                {**values, **changes},
                "zero-shot",
                name,
                ZERO_SHOT_MODELS,
                source="figures 6 and 8, which do not say the data set",
            )
            for name, values in _PUBLISHED.items()
            for ablation, changes in _ABLATIONS.items()
        ),
        Preset(
            "notebook",
            {"lr": 1e-3, "generator_lr": 1e-3, **_REAL_IMAGES},
            "zero-shot",
            "mnist",
            "allcnn",
            source="the only published experiment of its code, whose rates are not the paper's",
        ),
    )

    def access_with(self, params: GktParams) -> Access:
        return Access.RETAIN if params.selection == "retain_images" else self.access

    def unlearn(
        self, model: nn.Module, data: TrialData, params: GktParams, rng: torch.Generator
    ) -> nn.Module:
        import torch

        teacher, forget = model, list(data.forget_classes)
        student = new_student(teacher, data, params, rng).train()
        like = next(teacher.parameters())
        generator = new_generator(data.image_shape).to(like.device, like.dtype).train()
        generator.to(memory_format=torch.channels_last)
        learn = torch.optim.Adam(student.parameters(), lr=params.lr)
        provoke = torch.optim.Adam(generator.parameters(), lr=params.generator_lr)
        chosen = Selection(student, data, learn, provoke) if params.selection == "retain_images" else None
        result = chosen.best if chosen else student
        step = data.track(result, params.pseudo_batches)
        for done in range(1, params.pseudo_batches + 1):
            z = torch.randn((params.batch_size, LATENT), generator=rng, device=rng.device).to(like)
            for _ in range(params.generator_steps):
                loss = generator_loss(generator(z), teacher, student, forget, params)
                if loss is not None:
                    descend(provoke, loss, params.grad_clip)
            with torch.no_grad():
                x = generator(z)
                logits, maps = observed(teacher, x, params.beta)
                passes = gate(logits, forget, params.threshold)
                x, logits, maps = x[passes], logits[passes], [m[passes] for m in maps]
            for _ in range(params.student_steps if len(x) > 1 else 0):
                descend(learn, student_loss(x, logits, maps, student, params), params.grad_clip)
            if chosen and (done % LOOK_EVERY == 0 or done == params.pseudo_batches):
                chosen.look(student)
            step()
        return result.eval()


def gate(logits: torch.Tensor, forget: list[int], threshold: float) -> torch.Tensor:
    """Whether the teacher's probability is below the threshold for every forget class, by image.

    Args:
        logits: The teacher's, shape (B, classes).

    Returns:
        bool, shape (B,).
    """
    return (at_least_float32(logits).softmax(dim=1)[:, forget] < threshold).all(dim=1)


def divergence(teacher_logits: torch.Tensor, logits: torch.Tensor, params: GktParams) -> torch.Tensor:
    """KL(teacher || student) or JS of the softmax at some temperature, from logits of shape (n, classes)."""
    import torch
    from torch.nn import functional as F

    target = (at_least_float32(teacher_logits) / params.temperature).log_softmax(dim=1)
    log_p = (at_least_float32(logits) / params.temperature).log_softmax(dim=1)
    if params.discrepancy == "js":
        middle = torch.logaddexp(target, log_p) - math.log(2)
        sides = [F.kl_div(middle, p, reduction="batchmean", log_target=True) for p in (target, log_p)]
        per_image = (sides[0] + sides[1]) / 2
    else:
        per_image = F.kl_div(log_p, target, reduction="batchmean", log_target=True)
    return per_image if params.divergence == "per_image" else per_image / logits.shape[1]


def generator_loss(
    x: torch.Tensor, teacher: nn.Module, student: nn.Module, forget: list[int], params: GktParams
) -> torch.Tensor | None:
    """The loss of the generator's step on its images x (B, C, H, W).

    Returns:
        The negative divergence on the images that pass the gate, less the attention term if it is used. If
        fewer than two images pass, too few for batch norm: the mean log-odds of the forget classes on all
        images, or None without `steer`.
    """
    beta = params.beta if params.generator_attention else 0.0
    logits, maps = observed(teacher, x, beta)
    passes = gate(logits.detach(), forget, params.threshold)
    if int(passes.sum()) > 1:
        student_logits, student_maps = observed(student, x[passes], beta)
        loss = -divergence(logits[passes], student_logits, params)
        return loss - beta * attention([m[passes] for m in maps], student_maps) if beta else loss
    if not params.steer:
        return None
    logits = at_least_float32(logits)
    rest = [label for label in range(logits.shape[1]) if label not in forget]
    return (logits[:, forget].logsumexp(dim=1) - logits[:, rest].logsumexp(dim=1)).mean()


def student_loss(
    x: torch.Tensor,
    teacher_logits: torch.Tensor,
    teacher_maps: list[torch.Tensor],
    student: nn.Module,
    params: GktParams,
) -> torch.Tensor:
    """The loss of a student's step on n images that passed the gate: divergence and attention."""
    logits, maps = observed(student, x, params.beta)
    loss = divergence(teacher_logits, logits, params)
    return loss + params.beta * attention(teacher_maps, maps) if params.beta else loss


def attention(teacher_maps: list[torch.Tensor], maps: list[torch.Tensor]) -> torch.Tensor:
    """A of the losses: the mean squared difference of two networks' attention maps, summed over layers."""
    terms = [(ours - theirs).square().mean() for ours, theirs in zip(maps, teacher_maps, strict=True)]
    return sum(terms[1:], terms[0])


def observed(model: nn.Module, x: torch.Tensor, beta: float) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Logits and attention maps of a pass, in the order in which the layers run; no maps if beta is 0.

    Raises:
        UnsuitableModel: if beta is not 0 and no layer has a map.
    """
    from torch import nn

    if not beta:
        return model(x), []
    maps: list[torch.Tensor] = []

    def keep(layer: nn.Module, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        if output.dim() > 2:  # not a linear layer over whole images
            maps.append(attention_map(output, 1 if isinstance(layer, nn.Conv2d) else 2))

    hooks = [
        layer.register_forward_hook(keep)
        for layer in model.modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    ]
    try:
        logits = model(x)
    finally:
        for hook in hooks:
            hook.remove()
    if not maps:
        raise UnsuitableModel(
            f"method 'gkt' compares the outputs of torch.nn.Conv2d layers, but {type(model).__name__} has "
            "none; set beta=0 to leave out the comparison"
        )
    return logits, maps


def attention_map(output: torch.Tensor, channels: int) -> torch.Tensor:
    """Where a layer is active: squared outputs averaged over channels, scaled to length 1 per image.

    Args:
        output: Shape (n, channels, height, width) or (n, tokens, channels).
        channels: The dimension of the channels.

    Returns:
        Shape (n, height x width) or (n, tokens).
    """
    from torch.nn import functional as F

    output = at_least_float32(
        output.clone()
    )  # an in-place activation may follow and would corrupt the gradient
    return F.normalize(output.square().mean(dim=channels).flatten(1), dim=1)


def descend(optimiser: torch.optim.Optimizer, loss: torch.Tensor, grad_clip: float | None) -> None:
    """A step of the optimiser's weights; no other weights get a gradient."""
    import torch

    weights = [p for group in optimiser.param_groups for p in group["params"]]
    optimiser.zero_grad()
    loss.backward(inputs=weights)
    if grad_clip is not None:
        torch.nn.utils.clip_grad_norm_(weights, grad_clip)
    optimiser.step()


def new_student(teacher: nn.Module, data: TrialData, params: GktParams, rng: torch.Generator) -> nn.Module:
    """A freshly initialised network, or the teacher with new weights (not biases) in its convolutions."""
    from torch import nn

    if params.student == "fresh":
        return data.new_model()
    student = copy.deepcopy(teacher)
    for layer in student.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight, generator=rng)
    return student


def new_generator(image_shape: tuple[int, int, int]) -> nn.Module:
    """A network that makes images from noise of shape (B, 128), starting at a quarter of their size.

    The batch norm at its end gives them the scale of normalised images.
    """
    from torch import nn

    channels, height, width = image_shape
    quarter, half = ((-(-height // part), -(-width // part)) for part in (4, 2))
    return nn.Sequential(
        nn.Linear(LATENT, 128 * quarter[0] * quarter[1]),
        nn.Unflatten(1, (128, *quarter)),
        nn.BatchNorm2d(128),
        nn.Upsample(half),
        nn.Conv2d(128, 128, 3, padding=1),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.Upsample((height, width)),
        nn.Conv2d(128, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
    )


class Selection:
    """The published code's use of real images, with training images in place of its test images.

    Attributes:
        best: The student that recognised the fewest forget images so far (none, in the paper); among equal
            students, the one that recognised the most validation images.
    """

    def __init__(self, student: nn.Module, data: TrialData, *optimisers: torch.optim.Optimizer) -> None:
        from torch.optim.lr_scheduler import ReduceLROnPlateau

        self._retain, self._forget = data.validation, data.forget
        self._rates = [ReduceLROnPlateau(optimiser, factor=0.5, patience=2) for optimiser in optimisers]
        self._best_scores = (-1.0, -1.0)
        self.best = copy.deepcopy(student)

    def look(self, student: nn.Module) -> None:
        """Measure the student; keep it if it is the best, halve the rates if its loss stopped falling."""
        from benchmarks.evaluation import predict

        retain, forget = predict(student, self._retain), predict(student, self._forget)
        for rate in self._rates:
            rate.step(-float(retain.log_p_true.mean()))
        scores = (-float(forget.correct.mean()), float(retain.correct.mean()))
        if scores > self._best_scores:
            self._best_scores = scores
            self.best.load_state_dict(student.state_dict())
