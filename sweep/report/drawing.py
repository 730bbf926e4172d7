"""Figures as pictures: Vega-Lite to SVG, in the colours of the page that it stands in."""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from sweep.report.document import Figure, Row

# Colours that are told apart by most kinds of colour vision, and on white as on black: those of
# Okabe and Ito (2008), the yellow and the black left out for their contrast, and two more.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8c6d31", "#7b68c8")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")
# Of the page, light or dark; in a file of its own a figure is light.
INK, LINES, FAINT, BLUE = "var(--ink)", "var(--line)", "var(--faint)", "var(--accent)"
LIGHT = {INK: "#1c2330", LINES: "#e4e7ec", FAINT: "#98a1ad", BLUE: "#0b5cad"}
IN_LINES = "split(datum.label, '_')"  # a long name above a narrow panel, word below word
LONG = re.compile(r"-?\d+\.\d{3,}")
CONFIG: Mapping[str, Any] = {
    "background": None,
    "font": "Arial, Helvetica, Liberation Sans, sans-serif",  # all as wide; the page says it
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "domainColor": FAINT,
        "tickColor": FAINT,
        "gridColor": LINES,
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 12,
    },
    "header": {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontWeight": "normal",
    },
    "legend": {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 260,
    },
    "range": {"category": list(COLOURS)},
    "text": {"color": INK},
}


def svg(figure: Figure) -> str:
    """A figure as an SVG element that stands in a page, for whose scripts it has no need.

    Text and lines have the colours of the page (``--ink``, ``--line``, ``--faint``).
    """
    import vl_convert  # it starts a JavaScript engine, which takes a second

    drawn: str = vl_convert.vegalite_to_svg(json.dumps(full_spec(figure.spec, figure.data)))
    return _own_names(_shortened(drawn), figure.name)


def full_spec(spec: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """A specification that any program that draws Vega-Lite can draw: with its data."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        **spec,
        "config": CONFIG,
        "datasets": {"rows": rounded(rows)},
    }


def by_group(groups: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The scales of colour and shape by which norms or arms are told apart."""
    colours = [COLOURS[at % len(COLOURS)] for at in range(len(groups))]
    shapes = [SHAPES[at // len(COLOURS) % len(SHAPES)] for at in range(len(groups))]
    domain = list(groups)
    return {"domain": domain, "range": colours}, {"domain": domain, "range": shapes}


def _shortened(drawn: str) -> str:
    """Without what a page has no use for: its figures are one image each to a screen reader.

    Their names are the page's, and a hundredth of a pixel is seen by nobody.
    """
    bare = re.sub(r' (?:aria-\w+|role|class|pointer-events|font-family)="[^"]*"', "", drawn)
    return re.sub(r"<[^>]+>", lambda tag: LONG.sub(_to_hundredths, tag[0]), bare)


def _to_hundredths(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}"


def exported(figure: Figure) -> str:
    """A figure as a file for other programs that draw Vega-Lite."""
    text = json.dumps(full_spec(figure.spec, figure.data), separators=(",", ":"))
    for name, colour in LIGHT.items():
        text = text.replace(name, colour)
    return text


def rounded(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The values of a figure to six digits."""
    return [
        {name: float(f"{v:.6g}") if isinstance(v, float) else v for name, v in row.items()}
        for row in rows
    ]


def _own_names(drawn: str, name: str) -> str:
    """Names inside of an SVG are those of the whole page: each figure gets its own."""
    numbers = count()
    for known in dict.fromkeys(re.findall(r'\bid="([^"]+)"', drawn)):
        own = f"{name}-{next(numbers)}"
        drawn = drawn.replace(f'id="{known}"', f'id="{own}"').replace(f"#{known}", f"#{own}")
    return drawn
