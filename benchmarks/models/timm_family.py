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
from benchmarks.models.base import Model, models
from benchmarks.registry import Family

if TYPE_CHECKING:
    from timm.models import PretrainedCfg
    from torch import nn

# How timm writes down the architectures that it has, and former names of theirs
_REGISTERED = re.compile(r"^@register_model\b.*\n(?:@.*\n)*def (\w+)", re.MULTILINE)
_DEPRECATED = re.compile(r"register_model_deprecations\(__name__, \{(.*?)\}\)", re.DOTALL)
_KEY = re.compile(r"['\"](\w+)['\"]\s*:")
# Sizes that are tried for the smallest image: of usual patches, and where the last of five halvings is left
_SMALL = (8, 14, 16, 28, 32, 64, 96)


def build(name: str, num_classes: int, channels: int, image_size: int) -> nn.Module:
    """A network of timm with random weights.

    Args:
        name: As timm has it, with or without the tag of its weights, which plays no part here.

    Raises:
        InvalidScenario: if it takes no images of that size.
    """
    if image_size != _input_size(name) and not _takes(name, image_size):
        raise InvalidScenario(
            f"'timm:{name}' cannot be built for images of {image_size} pixels a side; take its own size with "
            f"'timm:{name}', or a multiple of 32 after the @"
        )
    return create(name, num_classes, channels, image_size)


def create(name: str, num_classes: int, channels: int, image_size: int, **more: Any) -> nn.Module:
    """A network of timm, with random weights if `more` does not ask for others."""
    import timm

    # What attends to patches at fixed places is built for a size; convolutions are not, and refuse to be
    size: dict[str, Any] = {"img_size": image_size} if _config(name).fixed_input_size else {}
    return timm.create_model(name, num_classes=num_classes, in_chans=channels, **size, **more)


def load_pretrained(name: str, network: nn.Module) -> None:
    """Put timm's published weights into a network that `build` made, all but its classifier.

    They come from the file `pretrained/<name>.safetensors` of the data folder or, where that is missing,
    from the model hub through timm's own cache. Position embeddings are resampled to the network's image
    size, and the first convolution is adapted to its channels.

    Raises:
        DataError: if there is neither, or if they do not fit.
    """
    from timm.models import get_model_input_config

    from benchmarks.weight_files import read_weights

    config = _config(name)
    architecture = name.partition(".")[0]
    full = f"{architecture}.{config.tag}" if config.tag else architecture
    path = data_folder() / "pretrained" / f"{full}.safetensors"
    classifier = (
        (config.classifier,) if isinstance(config.classifier, str) else tuple(config.classifier or ())
    )
    classes, source = config.num_classes, {}
    if path.exists():
        weights = read_weights(path)
        classes = next((len(weights[f"{n}.weight"]) for n in classifier if f"{n}.weight" in weights), 0)
        source = {"state_dict": weights, "num_classes": classes}
    channels, image_size, _ = get_model_input_config(network)["input_size"]
    try:  # timm loads strictly into a network with the classifier that the weights have
        trained = create(full, classes, channels, image_size, pretrained=True, pretrained_cfg_overlay=source)
    except Exception as error:  # whatever the hub, its cache, the network or torch raise
        reason = str(error).strip().partition("\n")[0]
        if path.exists():
            raise DataError(f"{path} does not hold the weights of timm's {full}: {reason}") from error
        raise DataError(
            f"the published weights of timm's {full} cannot be downloaded ({reason}); put the file "
            f"model.safetensors of {config.hf_hub_id or full} there: {path}"
        ) from error
    head = tuple(f"{n}." for n in classifier)
    body = {key: value for key, value in trained.state_dict().items() if not key.startswith(head)}
    absent, _ = network.load_state_dict(body, strict=False)
    if any(not key.startswith(head) for key in absent):
        raise DataError(f"the published weights of timm's {full} leave out {absent[0]}; train without them")


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
    except Exception:  # each architecture refuses in its own way
        return False
    return True


@cache
def _written() -> tuple[str, ...]:
    """Names of the architectures in timm's source; importing it takes seconds and half a gigabyte.

    Empty where its source is not laid out as it is known to be; timm itself is then asked.
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
        UnknownName: with the nearest names that timm has.
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
    )


models.add_family(
    Family(
        name="timm",
        pattern="<name>",
        summary="any network of the library timm, built for its own image size; @ changes that",
        make=member,
    )
)
