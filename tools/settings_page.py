"""docs/settings.md, made from the docstrings, types and rules of the settings themselves.

python tools/settings_page.py    # writes it
"""

import re
from collections.abc import Iterator
from pathlib import Path

from sweep.config.reference import GIVEN, Section, Setting, sections

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
HEAD = """\
# Settings

Every setting of a sweep file: what it takes, its default, what it does, when to change it. The
same is said by `mrisweep settings NAME`. A setting is set in the file, or by its dotted name:
`--set train.epochs=2`. What may be searched (`model.*`, `train.*`, `data.normalize`,
`data.context`, `seed`) stands in [`search.space`](search.md) instead.
`mrisweep run SWEEP.yaml --print-config` prints a sweep with all defaults filled in.

This page is made by `python -m tools.settings_page` from the settings' own docstrings.
"""


def page() -> str:
    """The whole page."""
    return "\n".join((HEAD, *(line for section in sections() for line in _section(section))))


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.name or 'The file'}\n"
    yield f"{_linked(section.text)}\n"
    for one in section.settings:
        yield _setting(one)
    yield ""


def _setting(one: Setting) -> str:
    facts = [one.kind, one.rule.replace("*", r"\*").replace("|", r"\|")]
    if "section" in one.kind:
        facts.append(f"see [below](#{one.name.replace('.', '')})")
    if one.default:
        facts.append(f"**{GIVEN}**" if one.default == GIVEN else f"default `{one.default}`")
    when = f" *When to change it:* {_linked(one.when)}" if one.when else ""
    said = f"{_linked(one.text)}{when}"
    return f"- **`{one.name}`** ({'; '.join(filter(None, facts))}). {said}".strip()


def _linked(text: str) -> str:
    """A text in which the name of a document leads there."""
    return re.sub(r"docs/(([\w]+)\.md(#[\w-]+)?)", r"[\2.md](\1)", text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
