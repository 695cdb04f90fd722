"""The family `timm:<name>`: names, sizes, and published weights from a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from benchmarks.errors import DataError, InvalidScenario, UnknownName
from benchmarks.models import models, timm_family
from benchmarks.training.reproducible import seeded

VIT, CNN = (
    "test_vit.r160_in1k",
    "test_resnet.r160_in1k",
)  # timm's own networks for tests, with weights on the hub


def built(name, classes, channels, size):
    with seeded(0):
        return models.get(name).build(classes, channels, size)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [32, 64])
def test_a_vit_is_built_for_small_images(channels: int, size: int) -> None:
    model = models.get(f"timm:vit_tiny_patch16_224@{size}")
    network = built(model.name, 7, channels, model.input_size(32))
    out = network(torch.randn(2, channels, size, size))
    assert out.shape == (2, 7)
    out.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    assert network.pos_embed.shape[1] == 1 + (size // 16) ** 2


def test_a_convolutional_network_takes_any_size() -> None:
    assert built("timm:resnet18@32", 5, 1, 32)(torch.zeros(2, 1, 32, 32)).shape == (2, 5)


@pytest.mark.parametrize(
    ("name", "takes", "smallest"),
    [
        ("vit_tiny_patch16_224", 224, 16),
        ("vit_tiny_patch16_384", 384, 16),
        ("test_vit", 160, 16),
        ("vgg11", 224, 32),
        ("convnext_atto", 224, 32),
    ],
)
def test_a_member_takes_its_architectures_size_and_knows_the_smallest(
    name: str, takes: int, smallest: int
) -> None:
    model = models.get(f"timm:{name}")
    assert (model.name, model.takes, model.min_size) == (f"timm:{name}", takes, smallest)
    with pytest.raises(InvalidScenario, match=f"from {smallest} to"):
        models.get(f"timm:{name}@{smallest - 1}")


def test_a_size_that_an_architecture_refuses_is_reported() -> None:
    with pytest.raises(InvalidScenario, match=r"'timm:test_vit' cannot be built for images of 20 pixels"):
        built("timm:test_vit@20", 5, 3, 20)


def test_near_names_and_tags() -> None:
    with pytest.raises(UnknownName, match=r"did you mean .*'vit_tiny_patch16_224'"):
        models.get("timm:vit_tiny_patch16_242")
    with pytest.raises(UnknownName, match="tag of timm's test_vit 'r106_in1k'; did you mean 'r160_in1k'"):
        models.get("timm:test_vit.r106_in1k")
    assert models.get(f"timm:{VIT}").load_pretrained is not None
    assert models.get("timm:vit_tiny_patch16_384@32").takes == 32


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a network of timm with other head and image size where published weights are looked for."""
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    (tmp_path / "pretrained").mkdir()

    def store(name, classes, **more):
        import timm  # takes seconds, which every process that collects the tests would pay

        with seeded(5):
            network = timm.create_model(name, num_classes=classes, **more)
            for p in network.parameters():
                nn.init.normal_(p)  # nothing may be a constant that every network starts with
        save_file(network.state_dict(), tmp_path / "pretrained" / f"{name}.safetensors")
        return network.state_dict()

    return store


@pytest.mark.parametrize("name", [VIT.partition(".")[0], VIT])
@pytest.mark.parametrize("classes", [4, 13, 1000])
def test_weights_arrive_and_the_head_does_not(stored, name, classes: int) -> None:
    theirs = stored(VIT, 13, img_size=160)
    network = built(f"timm:{name}", classes, 3, 160)
    head = [p.detach().clone() for p in network.head.parameters()]
    models.get(f"timm:{name}").load_pretrained(network)
    ours = network.state_dict()
    for key, value in theirs.items():
        assert key.startswith("head.") or torch.equal(ours[key], value), key
    assert all(torch.equal(a, b) for a, b in zip(head, network.head.parameters(), strict=True))


def test_a_network_as_it_was_published_has_their_head_too(stored) -> None:
    import timm

    theirs = stored(VIT, 13, img_size=160)
    network = built(f"timm:{VIT}", 13, 3, 160)
    published = models.get(f"timm:{VIT}").published
    published.load(network)
    for key, value in network.state_dict().items():
        assert torch.equal(value, theirs[key]), key
    config = timm.get_pretrained_cfg(VIT)
    assert (published.preprocessing().mean, published.preprocessing().std) == (config.mean, config.std)


def test_a_published_network_for_other_classes_is_refused(stored) -> None:
    stored(VIT, 13, img_size=160)
    network = built(f"timm:{VIT}", 4, 3, 160)
    with pytest.raises(DataError, match="was published with 13 classes, and the data set has 4; train"):
        models.get(f"timm:{VIT}").published.load(network)


def test_position_embeddings_are_resampled_and_the_first_convolution_adapted(stored) -> None:
    from timm.layers import resample_abs_pos_embed

    theirs = stored(VIT, 13)
    network = built(f"timm:{VIT}@64", 4, 1, 64)
    models.get(f"timm:{VIT}@64").load_pretrained(network)
    grid = resample_abs_pos_embed(theirs["pos_embed"], [4, 4], num_prefix_tokens=1)
    assert torch.allclose(network.pos_embed, grid, atol=1e-6)
    grey = theirs["patch_embed.proj.weight"].sum(dim=1, keepdim=True)
    assert torch.allclose(network.patch_embed.proj.weight, grey, atol=1e-6)
    assert torch.equal(network.blocks[0].mlp.fc1.weight, theirs["blocks.0.mlp.fc1.weight"])


def test_batch_norm_statistics_arrive_too(stored) -> None:
    theirs = stored(CNN, 13)
    network = built(f"timm:{CNN}@64", 4, 3, 64)
    network.bn1.running_mean.fill_(9)
    models.get(f"timm:{CNN}").load_pretrained(network)
    assert torch.equal(network.bn1.running_mean, theirs["bn1.running_mean"])


def test_a_file_of_another_network_is_refused_and_nothing_is_loaded(stored, tmp_path: Path) -> None:
    stored(VIT, 13)
    path = tmp_path / "pretrained" / f"{CNN}.safetensors"
    (tmp_path / "pretrained" / f"{VIT}.safetensors").rename(path)
    network = built(f"timm:{CNN}", 4, 3, 64)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(
        DataError, match=r"safetensors does not contain the weights of timm's test_resnet"
    ) as caught:
        models.get(f"timm:{CNN}").load_pretrained(network)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_without_a_network_and_a_file_the_message_says_which_file_to_put_where(
    stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = timm_family.create

    def offline(name, *shape, **more):
        if more.get("pretrained"):
            raise OSError("no way to the hub\nand a second line")
        return create(name, *shape, **more)

    monkeypatch.setattr(timm_family, "create", offline)
    where = tmp_path / "pretrained" / "vit_base_patch16_224.orig_in21k_ft_in1k.safetensors"
    with pytest.raises(DataError) as caught:
        models.get("vit_b16").load_pretrained(built(f"timm:{VIT}", 4, 3, 160))
    assert str(caught.value).endswith(
        "cannot be downloaded (no way to the hub); put the file model.safetensors of "
        f"timm/vit_base_patch16_224.orig_in21k_ft_in1k there: {where}"
    )


def test_names_are_read_from_timms_source_as_timm_registers_them() -> None:
    from timm.models import _registry

    assert set(timm_family._written()) == set(_registry._model_entrypoints)


def test_an_unknown_name_is_refused_without_importing_timm() -> None:
    code = """
import sys
from benchmarks.errors import UnknownName
from benchmarks.models import models
try:
    models.get("timm:resnet1888")
except UnknownName as error:
    print(error)
print("timm" in sys.modules, "torch" in sys.modules)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == (
        "unknown model of timm 'resnet1888'; did you mean 'resnet18' or 'resnet18d' or 'skresnet18'?\n"
        "False False\n"
    )
