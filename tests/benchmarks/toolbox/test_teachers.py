"""Logits of a frozen network, against a pass for every image."""

from __future__ import annotations

import copy

import pytest
import torch

from benchmarks import Prepared
from benchmarks.images import ImageSet
from benchmarks.methods import methods
from benchmarks.toolbox.teachers import first_retain_logits, frozen_logits, original_logits
from tests.benchmarks.helpers import data_for, rng

SCRUB = methods.get("scrub")


def image_by_image(model: torch.nn.Module, images: ImageSet) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat([model(images.ready(images.pixels(i[None]))) for i in images.index])


def test_the_original_computes_the_logits_of_every_image_in_order(digits: Prepared) -> None:
    model, data = copy.deepcopy(digits.original), data_for(digits, SCRUB)
    for logits, images in zip(original_logits(model, data), (data.forget, data.retain), strict=True):
        assert torch.allclose(logits, image_by_image(digits.original, images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("share", [0.004, 0.1, 0.37, 1.0])
def test_the_first_images_of_an_order_are_asked_in_parts(share: float, digits: Prepared) -> None:
    model, data = copy.deepcopy(digits.original), data_for(digits, SCRUB)
    asked: list[int] = []
    model.register_forward_pre_hook(lambda _, inputs: asked.append(len(inputs[0])))
    order = data.retain.order(rng())
    count = int(share * len(order))
    logits = first_retain_logits(model, data, order, count)
    assert sum(asked) == len(logits) == count
    expected = image_by_image(digits.original, data.retain.subset(order[:count]))
    assert torch.allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_teachers_answer_in_at_least_float32_under_autocast(digits: Prepared) -> None:
    model, data = copy.deepcopy(digits.original), data_for(digits, SCRUB)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert frozen_logits(model, data.forget).dtype == torch.float32
