"""The family `timm:<name>`: any image network of the library timm, and its published weights."""

from __future__ import annotations

import importlib.util
import re
import sys
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.datasets import data_folder
from benchmarks.errors import DataError, InvalidScenario, UnknownName
from benchmarks.models.base import Model, Published, models
from benchmarks.registry import Family
from benchmarks.weights.checkpoint import Preprocessing

if TYPE_CHECKING:
    import torch
    from timm.models import PretrainedCfg
    from torch import nn

# How timm's source declares its architectures and their former names
_REGISTERED = re.compile(r"^@register_model\b.*\n(?:@.*\n)*def (\w+)", re.MULTILINE)
_DEPRECATED = re.compile(r"register_model_deprecations\(__name__, \{(.*?)\}\)", re.DOTALL)
_KEY = re.compile(r"['\"](\w+)['\"]\s*:")
# Candidates for the smallest image: usual patch sizes, and sizes that allow five halvings
_SMALL = (8, 14, 16, 28, 32, 64, 96)


def build(name: str, num_classes: int, channels: int, image_size: int) -> nn.Module:
    """A network of timm with random weights.

    Args:
        name: As in timm, with or without the tag of its weights, which is ignored.

    Raises:
        InvalidScenario: if it does not take images of that size.
    """
    if image_size != _input_size(name) and not _takes(name, image_size):
        raise InvalidScenario(
            f"'timm:{name}' cannot be built for images of {image_size} pixels a side; use its default size, "
            f"'timm:{name}', or a multiple of 32 after the @"
        )
    return create(name, num_classes, channels, image_size)


def create(name: str, num_classes: int, channels: int, image_size: int, **more: Any) -> nn.Module:
    """A network of timm, with random weights unless `more` selects others."""
    import timm

    # Attention to patches at fixed positions depends on the size; convolutions reject the option
    size: dict[str, Any] = {"img_size": image_size} if _config(name).fixed_input_size else {}
    return timm.create_model(name, num_classes=num_classes, in_chans=channels, **size, **more)


def load_pretrained(name: str, network: nn.Module) -> None:
    """Load timm's published weights into a network from `build`, except its classifier.

    Position embeddings are resampled to the network's image size, and the first convolution is adapted to
    its channels.

    Raises:
        DataError: if they are not available (see `_trained`) or do not fit.
    """
    config = _config(name)
    head = tuple(f"{n}." for n in _classifier(config))
    body = {key: value for key, value in _trained(name, network).items() if not key.startswith(head)}
    absent, _ = network.load_state_dict(body, strict=False)
    if any(not key.startswith(head) for key in absent):
        raise DataError(
            f"the published weights of timm's {_full_name(name)} leave out {absent[0]}; train without them"
        )


def load_published(name: str, network: nn.Module) -> None:
    """Load timm's published weights into a network from `build`, including its classifier.

    Raises:
        DataError: as `load_pretrained` does, or if the network has another number of classes.
    """
    weights = _trained(name, network)
    expected = network.state_dict()
    other = next(
        (key for key, value in weights.items() if key in expected and value.shape != expected[key].shape),
        None,
    )
    if other is not None:
        raise DataError(
            f"timm's {_full_name(name)} was published with {len(weights[other])} classes, and the data set "
            f"has {len(expected[other])}; train the original model on it ('training.original: trained')"
        )
    network.load_state_dict(weights)


def published_preprocessing(name: str) -> Preprocessing:
    """The preprocessing of timm's published network."""
    config = _config(name)
    return Preprocessing(tuple(config.mean), tuple(config.std))


def published(name: str) -> Published:
    """A network of timm with all of its published weights."""
    return Published(partial(load_published, name), partial(published_preprocessing, name))


def _trained(name: str, network: nn.Module) -> dict[str, torch.Tensor]:
    """Timm's published weights, in the shapes of a network except its classifier.

    They come from the file `pretrained/<name>.safetensors` of the data folder or, where that is missing,
    from the model hub through timm's own cache.

    Raises:
        DataError: if there is neither, or if they do not fit.
    """
    from timm.models import get_model_input_config

    from benchmarks.weights.files import read_weights

    config, full = _config(name), _full_name(name)
    path = data_folder() / "pretrained" / f"{full}.safetensors"
    classes, source = config.num_classes, {}
    if path.exists():
        weights = read_weights(path)
        heads = [f"{n}.weight" for n in _classifier(config)]
        classes = next((len(weights[n]) for n in heads if n in weights), 0)
        source = {"state_dict": weights, "num_classes": classes}
    channels, image_size, _ = get_model_input_config(network)["input_size"]
    try:  # timm loads strictly into a network with the classifier that the weights have
        trained = create(full, classes, channels, image_size, pretrained=True, pretrained_cfg_overlay=source)
    except Exception as error:  # the hub, its cache, the network and torch raise many kinds
        reason = str(error).strip().partition("\n")[0]
        if path.exists():
            raise DataError(f"{path} does not contain the weights of timm's {full}: {reason}") from error
        raise DataError(
            f"the published weights of timm's {full} cannot be downloaded ({reason}); put the file "
            f"model.safetensors of {config.hf_hub_id or full} there: {path}"
        ) from error
    return dict(trained.state_dict())


def _full_name(name: str) -> str:
    """An architecture with the tag of its weights."""
    architecture, tag = name.partition(".")[0], _config(name).tag
    return f"{architecture}.{tag}" if tag else architecture


def _classifier(config: PretrainedCfg) -> tuple[str, ...]:
    """The modules of the last layer."""
    given = config.classifier
    return (given,) if isinstance(given, str) else tuple(given or ())


def _config(name: str) -> PretrainedCfg:
    import timm
    from timm.models import PretrainedCfg

    return timm.get_pretrained_cfg(name) or PretrainedCfg()


def _input_size(name: str) -> int:
    return int(_config(name).input_size[-1])


@cache
def _takes(name: str, image_size: int) -> bool:
    """Whether images of that size pass through the network; tried on shapes alone, without memory."""
    import torch

    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"), torch.no_grad():
            create(name, 2, 3, image_size).eval()(torch.zeros(1, 3, image_size, image_size))
    except Exception:  # architectures raise different exceptions
        return False
    return True


@cache
def _written() -> tuple[str, ...]:
    """Names of the architectures in timm's source; importing timm takes seconds and half a gigabyte.

    Empty if the source has an unknown layout; timm itself is then imported.
    """
    spec = importlib.util.find_spec("timm")
    folders = spec.submodule_search_locations if spec else None
    names: set[str] = set()
    for path in Path(folders[0]).glob("models/**/*.py") if folders else ():
        text = path.read_text(encoding="utf-8")
        names.update(_REGISTERED.findall(text))
        for block in _DEPRECATED.findall(text):
            names.update(_KEY.findall(block))
    return tuple(sorted(names))


@cache
def member(name: str) -> Model:
    """The network `timm:NAME`.

    Raises:
        UnknownName: with the nearest names of timm.
    """
    architecture, _, tag = name.partition(".")
    if "timm" not in sys.modules and architecture not in (written := _written()) and written:
        raise UnknownName("model of timm", architecture, written)
    import timm

    if not timm.is_model(architecture):
        raise UnknownName("model of timm", architecture, timm.list_models())
    tagged = timm.list_pretrained(f"{architecture}.*")
    if tag and name not in tagged:
        raise UnknownName(f"tag of timm's {architecture}", tag, [n.partition(".")[2] for n in tagged])
    size = _input_size(name)
    return Model(
        name=f"timm:{name}",
        summary=f"timm's {name}",
        source=_config(name).paper_name or "the library timm (PyTorch Image Models)",
        build=partial(build, name),
        min_size=next((small for small in _SMALL if small < size and _takes(name, small)), size),
        takes=size,
        load_pretrained=partial(load_pretrained, name) if tagged else None,
        published=published(name) if tagged else None,
    )


models.add_family(
    Family(
        name="timm",
        pattern="<name>",
        summary="any network of the library timm, built for its default image size; @ changes that",
        make=member,
    )
)
