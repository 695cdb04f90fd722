"""Drawings of matplotlib as small SVGs inside a page."""

from __future__ import annotations

import base64
import io
import re
from collections import Counter
from urllib.parse import quote

import numpy as np
from markupsafe import Markup
from PIL import Image

_REFERENCE = r'(?<=href="#)[^"]+|(?<=url\(#)[^)]+'
_STYLE = r' style="([^"]*)"'
_ROUNDED = r' (?:d|[xy]|width|height)="[^"]*"|translate\([^)]*\)'
_NEEDLESS = r"\.0+(?!\d)|(?<=\.\d)0(?!\d)|(?<=[A-Za-z]) | (?=[A-Za-z])| $"  # in a path
_UPRIGHT = re.compile(r"(?<=M)([-.\d]+) ([-.\d]+)L\1 ")  # the beginning of a path: its second x is its first
_WHOLE_BYTES = 17  # colours; with fewer, several pixels share a byte, which compresses less
_UNSEEN = 16  # of 255, between two colours
_AS_THEY_ARE = " !'()*+,/:;<=>?@[]^`{|}$"  # in an address, in addition to letters, digits and _.-~


def smaller(svg: str) -> str:
    """The same drawing in a third of the bytes.

    matplotlib indents, writes six decimals of a point, and names every group, even if nothing refers to it.
    """
    svg = re.sub(r"^.*?(?=<svg )|<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"\s*\n\s*", " ", svg).replace("> <", "><").replace(" />", "/>")
    svg = svg.replace("xlink:href=", "href=").replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    names = {name: f"{name[0]}{i}" for i, name in enumerate(dict.fromkeys(re.findall(_REFERENCE, svg)))}
    svg = re.sub(r' id="([^"]*)"', lambda at: f' id="{names[at[1]]}"' if at[1] in names else "", svg)
    svg = re.sub(_REFERENCE, lambda at: names[at[0]], svg)
    svg = re.sub(_STYLE, lambda at: re.sub(r"([:;]) ", r"\1", at[0]), svg)
    svg = _named_styles(svg)
    svg = re.sub(_ROUNDED, lambda at: re.sub(r"(\.\d\d)\d+", r"\1", at[0]), svg)
    svg = re.sub(r'(?<= d=")[^"]*', lambda at: _UPRIGHT.sub(r"\1 \2V", re.sub(_NEEDLESS, "", at[0])), svg)
    svg = re.sub(r'(<use href="[^"]*") transform="translate\((\S+) 0\)"', r'\1 x="\2"', svg)
    svg = re.sub(r'(?<=data:image/png;base64,)[^"]*', lambda at: _fewer_colours(at[0]), svg)
    return _without_bare_groups(svg)


def _without_bare_groups(svg: str) -> str:
    """Removes groups without attributes, which matplotlib makes for every part of an axis."""
    kept: list[bool] = []  # for each open group

    def tag(at: re.Match[str]) -> str:
        if at[0] == "</g>":
            return at[0] if kept.pop() else ""
        kept.append(at[0] != "<g>")
        return at[0] if kept[-1] else ""

    return re.sub(r"</g>|<g(?: [^>]*[^/])?>", tag, svg.replace("<g/>", ""))


def _named_styles(svg: str) -> str:
    """Moves styles of several elements into the style sheet that every drawing of matplotlib has."""
    counted = Counter(re.findall(_STYLE, svg)).most_common()
    names = {style: f"c{i}" for i, (style, count) in enumerate(counted) if count > 2}
    rules = "".join(f".{name}{{{style}}}" for style, name in names.items())
    svg = re.sub(_STYLE, lambda at: f' class="{names[at[1]]}"' if at[1] in names else at[0], svg)
    return svg.replace("</style>", f"{rules}</style>", 1)


def svg_uri(svg: str) -> Markup:
    """A drawing as a data URI that is safe between double quotes; base64 would make it a third longer."""
    quoted = re.sub(r"<[^'>]*>", lambda tag: tag[0].replace('"', "'"), svg)
    code = quote(quoted, safe=_AS_THEY_ARE).replace("url(", "url%28")  # a page that loads nothing has none
    return Markup("data:image/svg+xml," + code)


def _fewer_colours(code: str) -> str:
    """A PNG in base64 with a palette, a third as large, unless a colour would change visibly."""
    image = Image.open(io.BytesIO(base64.b64decode(code))).convert("RGBA")
    if np.asarray(image)[..., 3].min() == 255:
        image = image.convert("RGB")
    few = _with_its_colours(image) or _with_similar_colours(image)
    change = np.asarray(image.convert("RGBA"), int) - np.asarray(few.convert("RGBA"), int)
    stream = io.BytesIO()
    (image if np.abs(change).max() > _UNSEEN else few).save(stream, "png", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


def _with_similar_colours(image: Image.Image) -> Image.Image:
    if image.mode == "RGBA":
        return image.quantize(128, method=Image.Quantize.FASTOCTREE)  # the only method with transparency
    return image.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=2)


def _with_its_colours(image: Image.Image) -> Image.Image | None:
    """The image with a palette of its own colours; None if there are more than 256."""
    pixels = np.asarray(image.convert("RGBA"))
    codes, numbers = np.unique(pixels.view(np.uint32), return_inverse=True)
    if len(codes) > 256:
        return None
    few = Image.fromarray(numbers.reshape(pixels.shape[:2]).astype(np.uint8))
    colours = codes.view(np.uint8).reshape(-1, 4)[:, : len(image.mode)]
    missing = max(0, _WHOLE_BYTES - len(codes))
    few.putpalette(np.pad(colours, ((0, missing), (0, 0))).tobytes(), image.mode)
    return few
