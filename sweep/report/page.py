"""The report as one HTML page that needs nothing beside itself."""

import base64
import re
from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from sweep.core.text import csv_text
from sweep.report.document import Code, Figure, Picture, Pictures, Report, Row, Table, Text
from sweep.report.drawing import exported, rounded, svg
from sweep.report.numbers import NONE

NUMBER = re.compile(r"[+-]?[\d.<]")


def page(report: Report) -> str:
    """Write a report as HTML: text, tables, figures as SVG, pictures and data inside of it.

    It loads nothing and runs no script; light or dark as the reader's system is.
    """
    return _environment().get_template("page.html").render(report=report)


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("sweep.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    kinds = {"text": Text, "table": Table, "figure": Figure, "pictures": Pictures, "code": Code}
    found.globals["kind"] = lambda block: next(n for n, of in kinds.items() if type(block) is of)
    found.filters |= {
        "drawn": lambda figure: Markup(svg(figure)),  # of our own specification
        "csv": _csv,
        "vega": _vega,
        "image": _image,
        "words": _words,
        "numeric": _numeric,
        "breakable": lambda text: Markup(re.sub(r"([/_])", r"\1<wbr>", str(escape(text)))),
    }
    return found


def _words(text: str) -> Markup:
    """Plain text, in which what stands between backticks is code."""
    parts = str(escape(text)).split("`")
    return Markup(  # every part was escaped above
        "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))
    )


def _numeric(table: Table) -> list[bool]:
    """Whether a column is one of numbers, which are set to the right."""
    return [
        all(NUMBER.match(cell) or cell == NONE for cell in column)
        for column in zip(*table.rows, strict=True)
    ] or [False] * len(table.header)


def _csv(rows: Sequence[Row]) -> str:
    return _link("text/csv", csv_text(rounded(rows)).encode())


def _vega(figure: Figure) -> str:
    return _link("application/json", exported(figure).encode())


def _image(picture: Picture) -> str:
    return _link("image/png", picture.png)


def _link(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
