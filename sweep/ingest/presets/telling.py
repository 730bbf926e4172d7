"""What presets are, for people: the table of all, and all of one."""

from collections.abc import Iterator

from sweep.core.text import fitted_table
from sweep.ingest.presets.preset import Preset
from sweep.ingest.presets.reading import load_preset, preset_names

HEADER = ("name", "what", "kind", "licence", "needs")


def presets_table(width: int | None) -> str:
    """A row for each preset that ships, in lines of so many characters; None: any number."""
    rows = [row_of(load_preset(name)) for name in preset_names()]
    return fitted_table(HEADER, rows, ("needs", "licence"), width)


def row_of(preset: Preset) -> tuple[str, ...]:
    """A preset in a row of the table."""
    return (preset.name, preset.what, preset.kind, preset.licence, preset.needs or "-")


def told(preset: Preset) -> str:
    """All that a preset says, as text."""
    return "\n".join(_lines(preset))


def _lines(preset: Preset) -> Iterator[str]:
    yield f"{preset.name} (version {preset.version}): {preset.what}"
    yield from ("", f"source   {preset.source}", f"licence  {preset.licence}")
    yield f"terms    {preset.terms}"
    if preset.needs:
        yield f"needs    {preset.needs}"
    yield from ("", "layout", *_indented(preset.layout))
    yield from ("", "labels", *_indented(preset.labels))
    for name, choice in preset.choose.items():
        values = ", ".join(choice.values) or "any"
        default = f"; {choice.default} by default" if choice.default else "; has to be chosen"
        yield from ("", f"--choose {name}=VALUE", f"  {choice.what}: {values}{default}")
    if preset.notes:
        yield from ("", "beware", *(f"  - {note}" for note in preset.notes))
    if preset.leaves_open:
        yield from ("", "left open", *(f"  - {note}" for note in preset.leaves_open))
    yield from ("", "without the preset", *_indented(preset.plain))


def _indented(text: str) -> Iterator[str]:
    return (f"  {line}".rstrip() for line in text.splitlines())
