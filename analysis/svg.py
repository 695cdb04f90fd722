"""Drawings of matplotlib as small SVGs that stand in a page."""

from __future__ import annotations

import re
from urllib.parse import quote

from markupsafe import Markup

_AS_THEY_ARE = " !'()*+,/:;<=>?@[]^`{|}$"  # beside letters, digits and _.-~


def smaller(svg: str) -> str:
    """The same drawing in a third of the bytes.

    matplotlib indents, has six decimals of a point, and names every group, also those that nothing refers to.
    """
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"\s*\n\s*", " ", svg).replace("> <", "><").replace(" />", "/>")
    svg = re.sub(r'(?<=["#])DejaVuSans-', "g", svg)
    svg = svg.replace("xlink:href=", "href=")
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda at: at[0] if at[1] in used else "", svg)
    svg = re.sub(r' style="[^"]*"', lambda at: re.sub(r"([:;]) ", r"\1", at[0]), svg)
    places = r' d="[^"]*"| [xy]="[^"]*"|translate\([^)]*\)'
    return re.sub(places, lambda at: re.sub(r"(\.\d\d)\d+", r"\1", at[0]), svg)


def svg_uri(svg: str) -> Markup:
    """A drawing as a data URI that is safe between double quotes; base64 would make it a third longer."""
    quoted = svg if "'" in svg else svg.replace('"', "'")
    code = quote(quoted, safe=_AS_THEY_ARE).replace("url(", "url%28")  # a page that loads nothing has none
    return Markup("data:image/svg+xml," + code)
