"""The networks: shapes, sizes, and what is known of them from the papers."""

import pytest
import torch

from benchmarks.errors import InvalidScenario
from benchmarks.models import models
from benchmarks.training import seeded


def parameters(name, *shape):
    with torch.device("meta"):
        return sum(p.numel() for p in models.get(name).build(*shape).parameters())


@pytest.mark.parametrize(("channels", "size"), [(1, 4), (1, 5), (3, 7), (1, 8), (3, 28), (3, 32)])
def test_cnn2_takes_any_image(channels, size):
    model = models.get("cnn2")
    model.check(size)
    assert model.build(7, channels, size)(torch.zeros(2, channels, size, size)).shape == (2, 7)


@pytest.mark.parametrize("name", ["vgg11", "vgg11_133m"])
@pytest.mark.parametrize(
    ("channels", "size", "classes"), [(3, 32, 100), (1, 32, 10), (3, 33, 20), (3, 64, 2)]
)
def test_vgg_takes_images_from_32_pixels(name, channels, size, classes):
    with torch.device("meta"):
        network = models.get(name).build(classes, channels, size)
        assert network(torch.zeros(2, channels, size, size)).shape == (2, classes)


def test_too_small_images_are_refused():
    with pytest.raises(InvalidScenario, match="'vgg11' needs images of at least 32 pixels a side, not 31"):
        models.get("vgg11").check(31)


def test_parameter_counts():
    assert parameters("vgg11_133m", 100, 3, 32) == 132_963_436
    features = 9_220_480  # VGG11's eight convolutions on three channels
    assert parameters("vgg11", 100, 3, 32) == features + 2 * (512 * 512 + 512) + 512 * 100 + 100
    cnn = (9 * 32 + 32) + (9 * 32 * 64 + 64) + (64 * 4 * 128 + 128) + (128 * 10 + 10)
    assert parameters("cnn2", 10, 1, 8) == cnn


def test_vgg_has_no_batch_norm_and_starts_with_signal():
    with seeded(0):
        network = models.get("vgg11").build(10, 3, 32).eval()
        logits = network(torch.randn(32, 3, 32, 32))
    assert not any("Norm" in type(m).__name__ for m in network.modules())
    assert logits.std(dim=0).mean() > 0.01  # torch's default initialisation gives 0.0002: it does not train


def test_the_seed_decides_the_weights():
    def weights(seed):
        with seeded(seed):
            return torch.cat([p.flatten() for p in models.get("cnn2").build(10, 1, 8).parameters()])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))
