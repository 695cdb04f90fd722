"""The networks: shapes, sizes, and what is known of them from the papers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.errors import InvalidScenario
from benchmarks.models import models
from benchmarks.training.reproducible import seeded


def parameters(name, *shape):
    with torch.device("meta"):
        return sum(p.numel() for p in models.get(name).build(*shape).parameters())


@pytest.mark.parametrize(("channels", "size"), [(1, 4), (1, 5), (3, 7), (1, 8), (3, 28), (3, 32)])
def test_cnn2_takes_any_image(channels: int, size: int) -> None:
    model = models.get("cnn2")
    model.check(size)
    assert model.build(7, channels, size)(torch.zeros(2, channels, size, size)).shape == (2, 7)


@pytest.mark.parametrize("name", [name for name in models.names() if name != "vit_l16"])
def test_every_network_takes_images_from_its_smallest_size_on(name) -> None:
    smallest = models.get(name).min_size
    for channels, size, classes in ((1, smallest, 2), (3, smallest + 1, 20), (3, 2 * smallest + 5, 100)):
        with torch.device("meta"):
            network = models.get(name).build(classes, channels, size).eval()
            assert network(torch.zeros(2, channels, size, size)).shape == (2, classes)


@pytest.mark.parametrize(
    "name", ["allcnn", "lenet", "resnet9", "resnet18", "resnet50", "vgg11_bn", "vgg16_bn"]
)
def test_a_last_batch_of_a_single_image_trains_at_the_smallest_size(name: str) -> None:
    model = models.get(name)
    with torch.device("meta"):
        network = model.build(2, 3, model.min_size).train()
        assert network(torch.zeros(1, 3, model.min_size, model.min_size)).shape == (1, 2)


@pytest.mark.parametrize("name", ["allcnn", "cnn2", "lenet", "resnet9", "resnet18", "resnet50", "vgg16_bn"])
def test_gradients_reach_every_parameter(name: str) -> None:
    model = models.get(name)
    with seeded(0):
        network = model.build(10, 3, model.min_size).train()
        loss = network(torch.randn(4, 3, model.min_size, model.min_size)).square().sum()
    loss.backward()
    for key, p in network.named_parameters():
        assert p.grad is not None, key
        assert 0 < p.grad.abs().sum() < torch.inf, key


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_resnets_compute_what_torchvisions_do_with_a_stem_for_small_images(name: str) -> None:
    import torchvision

    theirs = getattr(torchvision.models, name)(num_classes=10)
    theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    with seeded(0):
        ours = models.get(name).build(10, 3, 32)
        x = torch.randn(2, 3, 32, 32)
    # Both list a block's own layers first and its shortcut's last
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    assert torch.allclose(ours.eval()(x), theirs.eval()(x), atol=1e-5)


def test_too_small_images_are_refused() -> None:
    with pytest.raises(InvalidScenario, match="'vgg11' needs images of at least 32 pixels a side, not 31"):
        models.get("vgg11").check(31)


def test_parameter_counts() -> None:
    assert parameters("vgg11_133m", 100, 3, 32) == 132_963_436
    assert parameters("resnet18", 100, 3, 32) == 11_220_132
    assert parameters("resnet50", 100, 3, 32) == 23_705_252
    assert parameters("resnet9", 10, 3, 32) == 6_575_370
    assert parameters("lenet", 10, 1, 32) == 61_706
    assert parameters("vit_b16", 1000, 3, 224) == 86_567_656
    assert parameters("vit_l16", 1000, 3, 224) == 304_326_632
    head = 2 * (512 * 512 + 512) + 512 * 100 + 100
    assert parameters("vgg11", 100, 3, 32) == 9_220_480 + head  # the eight convolutions, as torchvision's
    assert parameters("vgg16", 100, 3, 32) == 14_714_688 + head
    assert parameters("vgg11_bn", 100, 3, 32) == 9_225_984 + head
    assert parameters("vgg16_bn", 100, 3, 32) == 14_723_136 + head
    three = [3 * 96, 96 * 96, 96 * 192, *4 * [192 * 192]]
    allcnn = 9 * sum(three) + 192 * 192 + 2 * (2 * 96 + 6 * 192) + 192 * 10 + 10
    assert parameters("allcnn", 10, 3, 32) == allcnn
    cnn = (9 * 32 + 32) + (9 * 32 * 64 + 64) + (64 * 4 * 128 + 128) + (128 * 10 + 10)
    assert parameters("cnn2", 10, 1, 8) == cnn


def test_vgg_has_no_batch_norm_and_starts_with_signal() -> None:
    with seeded(0):
        network = models.get("vgg11").build(10, 3, 32).eval()
        logits = network(torch.randn(32, 3, 32, 32))
    assert not any("Norm" in type(m).__name__ for m in network.modules())
    assert logits.std(dim=0).mean() > 0.01  # torch's default initialisation gives 0.0002: it does not train


def test_the_seed_decides_the_weights() -> None:
    def weights(seed):
        with seeded(seed):
            return torch.cat([p.flatten() for p in models.get("cnn2").build(10, 1, 8).parameters()])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


def test_the_page_of_networks_has_their_parameters_and_sizes() -> None:
    page = (Path(__file__).parents[3] / "docs/models.md").read_text()
    for model in models:
        count = parameters(model.name, 100, 3, model.input_size(32))
        assert f"| `{model.name}` | {count:,} | {model.min_size} |" in page
