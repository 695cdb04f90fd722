"""GKT against its equations: every loss in NumPy, and the whole run replayed with plain autograd."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks import run_trial
from benchmarks.access import Access, TrialData
from benchmarks.errors import AccessDenied, UnsuitableModel
from benchmarks.evaluation import Predictions
from benchmarks.methods import gkt, methods
from benchmarks.methods.gkt import GktParams
from tests.benchmarks.helpers import FloatImages, data_for, rng, tiny_data, weights

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


GKT = methods.get("gkt")
CLASSES, SIDE, FORGET = 4, 4, (1,)
BASE = GktParams(
    lr=0.02,
    generator_lr=0.05,
    beta=3.0,
    threshold=0.3,
    pseudo_batches=3,
    batch_size=12,
    student_steps=2,
    grad_clip=None,
)


def network(seed: int, inplace: bool = False) -> nn.Module:
    """Two convolutions and a linear layer, with weights large enough for confident predictions."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1),
            nn.ReLU(inplace),
            nn.Conv2d(3, 2, 2),
            nn.ReLU(inplace),
            nn.Flatten(),
            nn.Linear(2 * (SIDE - 1) ** 2, CLASSES),
        ).double()
    for p in model.parameters():
        p.data *= 2
    return model


def generator(_shape: tuple[int, int, int] | None) -> nn.Module:
    """A single linear layer in place of the real generator."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return nn.Sequential(nn.Linear(128, SIDE * SIDE), nn.Unflatten(1, (1, SIDE, SIDE)))


def handle(student: int = 1, **more: object) -> TrialData:
    x = torch.zeros(3, 1, SIDE, SIDE, dtype=torch.float64)
    return tiny_data(
        GKT,
        x,
        torch.tensor([1, 0, 2]),
        [0],
        num_classes=CLASSES,
        new_model=lambda: network(student),
        **{"forget_classes": FORGET, **more},
    )


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(9, 1, SIDE, SIDE, generator=rng(3)).double() * 2


# Every loss in NumPy ---------------------------------------------------------------------------------------


def reference(model: nn.Module, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outputs of both convolutions and the logits of `network`, in NumPy."""
    first, second, last = (
        [p.detach().numpy() for p in (layer.weight, layer.bias)] for layer in (model[0], model[2], model[5])
    )

    def convolve(images: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
        size = weight.shape[2]
        windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(2, 3))
        return np.einsum("nchwij,ocij->nohw", windows, weight) + bias[:, None, None]

    first_map = convolve(np.pad(x.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1))), *first)
    second_map = convolve(np.maximum(first_map, 0), *second)
    return first_map, second_map, np.maximum(second_map, 0).reshape(len(x), -1) @ last[0].T + last[1]


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def kl(teacher: np.ndarray, student: np.ndarray, temperature: float) -> float:
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    return (p * np.log(p / q)).sum(axis=1).mean()


def js(teacher: np.ndarray, student: np.ndarray, temperature: float) -> float:
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    m = (p + q) / 2
    return ((p * np.log(p / m)).sum(axis=1).mean() + (q * np.log(q / m)).sum(axis=1).mean()) / 2


def attention(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    total = 0.0
    for s, t in zip(a, b, strict=True):
        maps = []
        for output in (s, t):
            energy = (output**2).mean(axis=1).reshape(len(output), -1)
            maps.append(energy / np.sqrt((energy**2).sum(axis=1, keepdims=True)))
        total += ((maps[0] - maps[1]) ** 2).sum() / maps[0].size
    return total


@pytest.mark.parametrize("forget", [[1], [0, 3], [0, 1, 2]])
def test_the_gate_lets_through_what_is_below_the_threshold_for_every_forget_class(forget: list[int]) -> None:
    logits = torch.randn(200, CLASSES, generator=rng(1)).double() * 2
    p = softmax(logits.numpy())
    expected = np.prod([p[:, i] < 0.2 for i in forget], axis=0).astype(bool)
    assert 0 < expected.sum() < 200
    assert np.array_equal(gkt.gate(logits, forget, 0.2).numpy(), expected)


@pytest.mark.parametrize(
    "changes",
    [{}, {"beta": 0.0}, {"beta": 250.0}, {"temperature": 0.5}, {"divergence": "per_entry"}],
    ids=str,
)
def test_the_students_loss_is_that_of_the_equation(
    images: torch.Tensor, changes: dict[str, float | str]
) -> None:
    params = replace(BASE, **changes)
    teacher, student = network(0), network(1)
    logits, maps = gkt.observed(teacher, images, params.beta)
    loss = gkt.student_loss(images, logits, maps, student, params)
    (*ours, mine), (*others, target) = reference(student, images), reference(teacher, images)
    expected = kl(target, mine, params.temperature)
    if params.divergence == "per_entry":
        expected /= CLASSES
    expected += params.beta * attention(ours, others)
    assert loss.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("changes", [{}, {"temperature": 2.0}, {"divergence": "per_entry"}], ids=str)
def test_the_generators_loss_is_the_negative_divergence_of_what_passes(
    images: torch.Tensor, changes: dict[str, float | str]
) -> None:
    params = replace(BASE, **changes)
    teacher, student = network(0), network(1)
    loss = gkt.generator_loss(images, teacher, student, [1], params)
    target, mine = reference(teacher, images)[-1], reference(student, images)[-1]
    passes = softmax(target)[:, 1] < params.threshold
    assert 1 < passes.sum() < len(images)
    expected = -kl(target[passes], mine[passes], params.temperature)
    expected /= CLASSES if params.divergence == "per_entry" else 1
    assert loss.item() == pytest.approx(expected, rel=1e-9)


def test_both_losses_take_the_jensen_shannon_divergence_where_it_is_asked_for(images: torch.Tensor) -> None:
    params = replace(BASE, discrepancy="js", beta=0.0, temperature=2.0)
    teacher, student = network(0), network(1)
    target, mine = reference(teacher, images)[-1], reference(student, images)[-1]
    loss = gkt.student_loss(images, teacher(images), [], student, params)
    assert loss.item() == pytest.approx(js(target, mine, 2.0), rel=1e-9)
    passes = softmax(target)[:, 1] < params.threshold
    loss = gkt.generator_loss(images, teacher, student, [1], params)
    assert loss.item() == pytest.approx(-js(target[passes], mine[passes], 2.0), rel=1e-9)


def test_js_is_symmetric_bounded_and_finite_if_a_network_is_certain() -> None:
    params = replace(BASE, discrepancy="js")
    sure = torch.tensor([[800.0, 0.0, 0.0, 0.0]]).double()
    other = torch.tensor([[0.0, 800.0, 0.0, 0.0]]).double().requires_grad_()
    far = gkt.divergence(sure, other, params)
    assert far.item() == pytest.approx(np.log(2))
    assert gkt.divergence(other, sure, params).item() == pytest.approx(np.log(2))
    assert gkt.divergence(sure, sure, params).item() == pytest.approx(0, abs=1e-12)
    far.backward()
    assert other.grad.isfinite().all()


def test_the_generator_may_also_maximise_the_difference_of_attention(images: torch.Tensor) -> None:
    params = replace(BASE, generator_attention=True)
    teacher, student = network(0), network(1)
    *theirs, target = reference(teacher, images)
    passes = softmax(target)[:, 1] < params.threshold
    *ours, mine = reference(student, images[passes])
    expected = kl(target[passes], mine, 1.0) + 3.0 * attention(ours, [m[passes] for m in theirs])
    images.requires_grad_()
    loss = gkt.generator_loss(images, teacher, student, [1], params)
    assert loss.item() == pytest.approx(-expected, rel=1e-9)
    (gradient,) = torch.autograd.grad(loss, images)
    plain = gkt.generator_loss(images, teacher, student, [1], BASE)
    assert not torch.allclose(gradient, torch.autograd.grad(plain, images)[0])


def test_where_nothing_passes_the_generators_loss_is_the_log_odds_of_the_forget_classes(
    images: torch.Tensor,
) -> None:
    params = replace(BASE, threshold=1e-9)
    loss = gkt.generator_loss(images, network(0), network(1), [1, 3], params)
    p = softmax(reference(network(0), images)[-1])
    lost = p[:, [1, 3]].sum(axis=1)
    assert loss.item() == pytest.approx(np.log(lost / (1 - lost)).mean(), rel=1e-9)
    assert gkt.generator_loss(images, network(0), network(1), [1], replace(params, steer=False)) is None


# A whole run -----------------------------------------------------------------------------------------------


class Adam:
    """Adam and gradient clipping."""

    def __init__(self, values: list[torch.Tensor], lr: float, clip: float | None) -> None:
        self.values, self.lr, self.clip, self.t = values, lr, clip, 0
        self.m = [torch.zeros_like(v) for v in values]
        self.v = [torch.zeros_like(v) for v in values]

    def step(self, loss: torch.Tensor) -> None:
        grads = torch.autograd.grad(loss, self.values)
        norm = sum(g.square().sum() for g in grads).sqrt()
        self.t += 1
        for i, g in enumerate(grads):
            if self.clip is not None and norm > self.clip:
                g = g * self.clip / (norm + 1e-6)
            self.m[i] = 0.9 * self.m[i] + 0.1 * g
            self.v[i] = 0.999 * self.v[i] + 0.001 * g**2
            m, v = self.m[i] / (1 - 0.9**self.t), self.v[i] / (1 - 0.999**self.t)
            with torch.no_grad():
                self.values[i] -= self.lr * m / (v.sqrt() + 1e-8)


def forward(values: list[torch.Tensor], x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    first_map = F.conv2d(x, values[0], values[1], padding=1)
    second_map = F.conv2d(first_map.relu(), values[2], values[3])
    return first_map, second_map, second_map.relu().flatten(1) @ values[4].T + values[5]


def replay(params: GktParams, forget: tuple[int, ...] = FORGET) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Weights of the student and of the generator after a run, and the number of images that passed."""
    t, s = ([p.detach().clone() for p in network(seed).parameters()] for seed in (0, 1))
    draw, passed = rng(), 0
    if params.student == "fresh_convolutions":
        s = [p.clone() for p in t]
        for weight in (s[0], s[2]):  # Glorot and Bengio, 2010, equation 16
            outputs, inputs, height, width = weight.shape
            bound = (6 / ((inputs + outputs) * height * width)) ** 0.5
            weight.uniform_(-bound, bound, generator=draw)
    g = [p.detach().double() for p in generator(None).parameters()]
    for p in (*s, *g):
        p.requires_grad_()
    learn, provoke = Adam(s, params.lr, params.grad_clip), Adam(g, params.generator_lr, params.grad_clip)

    def divergence(target: torch.Tensor, mine: torch.Tensor) -> torch.Tensor:
        p, q = (target / params.temperature).softmax(1), (mine / params.temperature).softmax(1)
        terms = p * (p / q).log()
        return terms.sum() / len(p) if params.divergence == "per_image" else terms.mean()

    def made(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x = (z @ g[0].T + g[1]).view(-1, 1, SIDE, SIDE)
        p = forward(t, x)[2].softmax(1)
        return x, (p[:, list(forget)] < params.threshold).all(1), p

    for _ in range(params.pseudo_batches):
        z = torch.randn((params.batch_size, 128), generator=draw).double()
        for _ in range(params.generator_steps):
            x, passes, p = made(z)
            if passes.sum() > 1:
                provoke.step(-divergence(forward(t, x[passes])[2], forward(s, x[passes])[2]))
            elif params.steer:
                lost = p[:, list(forget)].sum(1)
                provoke.step((lost / (1 - lost)).log().mean())
        x, passes, _ = made(z)
        x = x[passes].detach()
        passed += len(x)
        for _ in range(params.student_steps if len(x) > 1 else 0):
            *theirs, target = (o.detach() for o in forward(t, x))
            *ours, mine = forward(s, x)
            loss = divergence(target, mine)
            for a, b in zip(theirs, ours, strict=True):
                a, b = ((o**2).mean(1).flatten(1) for o in (a, b))
                loss = (
                    loss
                    + params.beta * ((a / a.norm(dim=1)[:, None] - b / b.norm(dim=1)[:, None]) ** 2).mean()
                )
            learn.step(loss)
    return torch.cat([p.detach().flatten() for p in s]), torch.cat([p.detach().flatten() for p in g]), passed


VARIANTS = {
    "default": {},
    "no_attention": {"beta": 0.0},
    "per_entry": {"divergence": "per_entry"},
    "temperature": {"temperature": 0.5},
    "threshold": {"threshold": 0.15},
    "two_generator_steps": {"generator_steps": 2},
    "three_student_steps": {"student_steps": 3},
    "one_pseudo_batch": {"pseudo_batches": 1},
    "batch": {"batch_size": 5},
    "clipped": {"grad_clip": 0.05},
    "student_rate": {"lr": 0.01},
    "generator_rate": {"generator_lr": 0.1},
    "fresh_convolutions": {"student": "fresh_convolutions"},
    "collapsed": {"threshold": 0.05, "batch_size": 2},
    "collapsed_and_left": {"threshold": 0.05, "batch_size": 2, "steer": False},
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """The small generator, kept for inspection."""
    made = []
    monkeypatch.setattr(gkt, "new_generator", lambda shape: made.append(generator(shape)) or made[-1])
    return made


def test_every_pseudo_batch_is_reported_with_the_student_as_it_stands(small: list[nn.Module]) -> None:
    seen = []
    data = replace(handle(), _observe=lambda model, share: seen.append((model, share)))
    student = GKT.unlearn(network(0), data, replace(BASE, pseudo_batches=4), rng())
    assert [share for _, share in seen] == [0.25, 0.5, 0.75, 1.0]
    assert all(model is student for model, _ in seen)


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_weights_are_those_of_the_algorithm(
    small: list[nn.Module], changes: dict[str, bool | float | str]
) -> None:
    params = replace(BASE, **changes)
    student = GKT.unlearn(network(0), handle(), params, rng())
    expected, expected_generator, _ = replay(params)
    assert torch.allclose(weights(student), expected, rtol=1e-6, atol=1e-12)
    assert torch.allclose(weights(small[0]), expected_generator, rtol=1e-6, atol=1e-12)


def test_every_variant_gives_other_weights() -> None:
    result = {name: replay(replace(BASE, **changes)) for name, changes in VARIANTS.items()}
    both = {torch.cat(w[:2]).numpy().tobytes() for w in result.values()}
    assert len(both) == len(VARIANTS)
    assert 0 < result["default"][2] < BASE.pseudo_batches * BASE.batch_size
    students = {name: w[0].numpy().tobytes() for name, w in result.items()}
    assert students["collapsed"] != students["collapsed_and_left"]


def test_several_classes_are_held_back_together(small: list[nn.Module]) -> None:
    student = GKT.unlearn(network(0), handle(forget_classes=(1, 3)), BASE, rng())
    assert torch.allclose(weights(student), replay(BASE, (1, 3))[0], rtol=1e-6, atol=1e-12)
    assert not torch.equal(replay(BASE, (1, 3))[0], replay(BASE)[0])


def test_a_collapsed_generator_is_led_back_until_images_pass(small: list[nn.Module]) -> None:
    params = replace(BASE, threshold=0.02, pseudo_batches=40)
    _, _, left = replay(replace(params, steer=False))
    _, _, led = replay(params)
    assert left == 0
    assert led > params.batch_size
    student = GKT.unlearn(network(0), handle(), replace(params, steer=False), rng())
    assert torch.equal(weights(student), weights(network(1)))


# Networks --------------------------------------------------------------------------------------------------


def test_inplace_activations_change_nothing(small: list[nn.Module], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = weights(GKT.unlearn(network(0), handle(), BASE, rng()))
    data = replace(handle(), new_model=lambda: network(1, inplace=True))
    result = weights(GKT.unlearn(network(0, inplace=True), data, BASE, rng()))
    assert torch.equal(result, expected)


def test_the_teacher_runs_in_eval_mode_the_student_in_train_mode_and_no_hook_stays(
    small: list[nn.Module],
) -> None:
    modes = {"teacher": set(), "student": set()}

    def watched(name: str, seed: int) -> nn.Module:
        model = network(seed)
        model.append(nn.Dropout(0.0))
        model[-1].register_forward_pre_hook(lambda layer, _: modes[name].add(layer.training))
        return model

    teacher = watched("teacher", 0).eval()
    student = GKT.unlearn(teacher, replace(handle(), new_model=lambda: watched("student", 1)), BASE, rng())
    assert modes == {"teacher": {False}, "student": {True}}
    assert not student.training
    assert torch.equal(weights(teacher), weights(network(0)))
    assert all(p.grad is None for p in teacher.parameters())
    assert not any(layer._forward_hooks for model in (teacher, student) for layer in model.modules())


def flat(seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, CLASSES)).double()


def test_a_network_without_attention_maps_needs_beta_0(small: list[nn.Module]) -> None:
    data = replace(handle(), new_model=lambda: flat(1))
    with pytest.raises(UnsuitableModel, match="beta=0"):
        GKT.unlearn(flat(0), data, BASE, rng())
    student = GKT.unlearn(flat(0), data, replace(BASE, beta=0.0, threshold=0.5), rng())
    assert not torch.equal(weights(student), weights(flat(1)))


def test_linear_layers_over_tokens_have_attention_maps_too(images: torch.Tensor) -> None:
    layer = nn.Linear(SIDE, 3).double()
    model = nn.Sequential(nn.Flatten(1, 2), layer, nn.Flatten(), nn.Linear(3 * SIDE, CLASSES).double())
    _, (result,) = gkt.observed(model, images, 1.0)
    energy = (layer(images.flatten(1, 2)) ** 2).mean(2)
    assert torch.allclose(result, energy / energy.norm(dim=1, keepdim=True))


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 30, 30), (2, 7, 5), (1, 4, 4)])
def test_the_generator_makes_images_of_every_shape_on_the_normalised_scale(
    shape: tuple[int, int, int],
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = gkt.new_generator(shape)(torch.randn(16, 128))
    assert x.shape == (16, *shape)
    assert x.mean((0, 2, 3)).abs().max() < 1e-3
    assert (x.std((0, 2, 3)) - 1).abs().max() < 0.01


# In a trial ------------------------------------------------------------------------------------------------

FEW = {"pseudo_batches": 3, "batch_size": 20, "generator_steps": 2, "student_steps": 4}


def test_with_an_open_gate_the_cost_is_the_formula(digits: Prepared) -> None:
    first, second = (run_trial(digits, "gkt", {**FEW, "threshold": 1.5}, seed=2) for _ in range(2))
    assert first.cost.samples_forward == 3 * 20 * (2 + 1 + 2 + 4)
    assert first.cost.samples_backward == 3 * 20 * (2 + 2 + 4)
    assert torch.equal(weights(first.model), weights(second.model))
    other = run_trial(digits, "gkt", {**FEW, "threshold": 1.5}, seed=3)
    assert not torch.equal(weights(first.model), weights(other.model))


def test_with_a_closed_gate_it_costs_the_teachers_passes(digits: Prepared) -> None:
    result = run_trial(digits, "gkt", {**FEW, "threshold": 1e-30})
    assert result.cost.samples_forward == 3 * 20 * (2 + 1)
    assert result.cost.samples_backward == 3 * 20 * 2
    left = run_trial(digits, "gkt", {**FEW, "threshold": 1e-30, "steer": False})
    assert left.cost.samples_forward == 3 * 20 * (2 + 1)
    assert left.cost.samples_backward == 0


def test_half_open_gates_cost_what_passes(digits: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    passed, gate = [], gkt.gate
    monkeypatch.setattr(gkt, "gate", lambda *a: passed.append(gate(*a)) or passed[-1])
    cost = run_trial(digits, "gkt", {**FEW, "threshold": 0.05}, seed=1).cost
    counts = [int(p.sum()) for p in passed]
    used = sum((4 if i % 3 == 2 else 1) * n for i, n in enumerate(counts) if n > 1)
    assert 0 < sum(counts) < 3 * 3 * 20
    assert cost.samples_forward == 3 * 20 * 3 + used
    assert cost.samples_backward == 3 * 20 * 2 + used


def test_it_forgets_the_class_and_keeps_others_without_any_real_image(digits: Prepared) -> None:
    result = run_trial(digits, "gkt", {"pseudo_batches": 30, "batch_size": 64}, seed=1)
    assert result.access == "class_id"
    assert result.metrics["forget_acc"] < 5
    assert result.metrics["retain_acc"] > 30


# Real images, as an option ---------------------------------------------------------------------------------


def test_choosing_by_real_images_needs_and_declares_access_to_them(digits: Prepared) -> None:
    params = {**FEW, "threshold": 1.5, "selection": "retain_images"}
    result = run_trial(digits, "gkt", params)
    assert result.state == "complete"
    assert result.access == "retain"
    real = len(digits.splits["retain_validation"]) + len(digits.splits["forget_train"])
    assert result.cost.samples_forward == 3 * 20 * 9 + real
    assert run_trial(digits, "gkt", FEW).access == "class_id"
    with pytest.raises(AccessDenied, match="validation images"):
        GKT.unlearn(
            copy.deepcopy(digits.original), data_for(digits, GKT), GktParams(selection="retain_images"), rng()
        )


def test_the_best_student_is_returned_and_rates_are_halved_on_a_plateau(
    small: list[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evaluates validation (retain) and forget images in turn; the scripted accuracies choose the fourth."""
    retain = [0.2, 0.9, 0.4, 0.6, 0.5, 0.5]
    forget = [0.0, 0.5, 0.0, 0.0, 0.0, 0.5]
    students, script = [], iter([v for pair in zip(retain, forget, strict=True) for v in pair])

    def predict(model: nn.Module, images: FloatImages) -> Predictions:
        students.append(weights(model).clone())
        right = int(10 * next(script))
        logits = np.zeros((10, CLASSES), np.float32)
        logits[:right, 0], logits[right:, 1] = 1, 1
        return Predictions(logits, np.zeros(10, np.int64))

    rates, halve = [], gkt.descend
    monkeypatch.setattr("benchmarks.evaluation.predict", predict)
    monkeypatch.setattr(gkt, "LOOK_EVERY", 2)
    monkeypatch.setattr(
        gkt, "descend", lambda o, *rest: rates.append(o.param_groups[0]["lr"]) or halve(o, *rest)
    )
    data = replace(handle(validation=[1]), access=Access.RETAIN)
    params = replace(BASE, pseudo_batches=11, selection="retain_images", threshold=1.5)
    best = GKT.unlearn(network(0), data, params, rng())
    assert len(students) == 12
    assert torch.equal(weights(best), students[6])
    per_batch = np.array(rates).reshape(11, 3)
    # the loss is lowest at the second look; the third after it without a better one is the fifth, at 10
    assert np.array_equal(per_batch[:10], np.tile([BASE.generator_lr, BASE.lr, BASE.lr], (10, 1)))
    assert np.array_equal(per_batch[10], [BASE.generator_lr / 2, BASE.lr / 2, BASE.lr / 2])
    assert not best.training
