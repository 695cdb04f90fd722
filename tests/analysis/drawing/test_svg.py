from __future__ import annotations

import base64
import gzip
import io
import re
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from analysis.drawing.backend import lay_out
from analysis.drawing.style import panels
from analysis.drawing.svg import smaller, svg_uri
from analysis.report.embedded import packed

XLINK = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
DRAWN = f"""<?xml version="1.0"?>
<svg {XLINK} xmlns="http://www.w3.org/2000/svg">
 <metadata>when</metadata>
 <defs><style type="text/css">*{{a: b}}</style>
 <path id="DejaVuSans-31" d="M 1.000000 2.500000 L 3.123456 0 z "/></defs>
 <g id="text_1"><use xlink:href="#DejaVuSans-31" transform="translate(63.62 0)"/></g>
"""


def svg(*inside: str) -> str:
    return smaller(DRAWN + "".join(inside) + "</svg>")


def test_a_drawing_keeps_what_is_seen_and_loses_the_rest() -> None:
    drawn = svg()
    assert ElementTree.fromstring(drawn) is not None
    assert '<path id="D0" d="M1 2.5L3.12 0z"/>' in drawn
    assert drawn.endswith('<use href="#D0" x="63.62"/></svg>')
    assert "when" not in drawn


def test_styles_that_many_have_stand_once() -> None:
    shape = '<rect style="fill: #ffffff; stroke: none"/>'
    assert svg(*[shape] * 2).count("fill:#ffffff") == 2
    drawn = svg(*[shape] * 9)
    assert drawn.count("fill:#ffffff") == 1
    assert drawn.count('<rect class="c0"/>') == 9
    assert "*{a: b}.c0{fill:#ffffff;stroke:none}</style>" in drawn


def test_groups_without_attributes_are_left_out() -> None:
    drawn = svg('<g id="a"><g class="b"><g><rect/></g></g></g><g><g/><g class="e"/><g class="c"></g></g>')
    inside = drawn.partition("</defs>")[2]
    assert inside.endswith('<g class="b"><rect/></g><g class="e"/><g class="c"></g></svg>')
    assert ElementTree.fromstring(drawn) is not None


def test_upright_lines_have_one_x() -> None:
    drawn = svg('<path d="M 1.5 2 L 1.5 3.25 L 4 5 "/><path d="M 1.5 2 L 1.55 3 "/>')
    assert '<path d="M1.5 2V3.25L4 5"/><path d="M1.5 2L1.55 3"/>' in drawn


@pytest.mark.parametrize("colours", [3, 200, 256])
@pytest.mark.parametrize("opaque", [True, False])
def test_an_image_with_few_colours_keeps_them(colours: int, opaque: bool) -> None:
    rng = np.random.default_rng(0)
    palette = rng.integers(0, 256, (colours, 4), np.uint8)
    if opaque:
        palette[:, 3] = 255
    pixels = palette[rng.integers(colours, size=(40, 40))]
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    code = base64.b64encode(stream.getvalue()).decode()
    [smaller_code] = re.findall(
        r"base64,([^\"]*)", svg(f'<image xlink:href="data:image/png;base64,{code}"/>')
    )
    image = Image.open(io.BytesIO(base64.b64decode(smaller_code)))
    assert image.mode == "P"
    assert (np.asarray(image.convert("RGBA")) == pixels).all()
    assert len(smaller_code) < len(code)


@pytest.mark.parametrize(("grey", "fewer"), [(False, False), (True, True)])
def test_an_image_has_a_palette_where_that_is_not_seen(grey: bool, fewer: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 1 if grey else 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(np.broadcast_to(pixels, (40, 40, 3))).save(stream, "png")
    code = base64.b64encode(stream.getvalue()).decode()
    drawn = svg(f'<image xlink:href="data:image/png;base64,{code}"/>')
    images = re.findall(r"base64,([^\"]*)", drawn)[0]
    image = Image.open(io.BytesIO(base64.b64decode(images)))
    assert (image.mode == "P") == fewer
    assert np.abs(np.asarray(image.convert("RGB"), int) - pixels).max() <= 16


def test_an_address_holds_any_text() -> None:
    drawn = (
        '<svg xmlns="http://www.w3.org/2000/svg"><text clip-path="url(#a)">"&amp; \u4e2d 50% #1</text></svg>'
    )
    uri = svg_uri(drawn)
    assert not set('"&#') & set(uri)
    assert "url(" not in uri
    read = ElementTree.fromstring(unquote(uri.partition(",")[2]))
    assert read[0].text == '"& \u4e2d 50% #1'


@pytest.mark.parametrize("size", range(5))
def test_what_is_packed_comes_back(size: int) -> None:
    text = "".join(map(str, range(size)))
    code = str(packed(text))
    assert not set("<&") & set(code)
    digits = [20 if c == "}" else ord(c) - ord("(") for c in code[1:]]
    words = [
        sum(d * 85 ** (4 - i) for i, d in enumerate(digits[at : at + 5])) for at in range(0, len(digits), 5)
    ]
    raw = b"".join(word.to_bytes(4, "big") for word in words)
    assert gzip.decompress(raw[: len(raw) - int(code[0])]).decode() == text


def test_a_figure_that_is_laid_out_stays_so() -> None:
    figure, [[axes]] = panels(1, 1, 3, 2)
    axes.set_ylabel("a long label")
    lay_out(figure)
    assert figure.dpi == 100
    first = axes.get_position().bounds
    axes.set_ylabel("")
    figure.draw_without_rendering()
    assert axes.get_position().bounds == first
    assert first[0] > 0.125
