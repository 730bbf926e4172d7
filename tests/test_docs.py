"""Tables in the documents agree with the code."""

import re
from dataclasses import fields
from pathlib import Path

import artifacts_sim

ARTIFACTS = Path(__file__).resolve().parents[1] / "docs" / "artifacts.md"


def rows(columns: int) -> dict[str, list[str]]:
    """By its first cell, the other cells of each row of the table of so many columns."""
    lines = re.findall(r"^\| (`.*) \|$", ARTIFACTS.read_text(encoding="utf-8"), re.MULTILINE)
    split = [[cell.strip().replace("`", "") for cell in line.split("|")] for line in lines]
    return {cells[0]: cells[1:] for cells in split if len(cells) == columns}


def shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def test_every_artifact_is_described_with_its_stage_knob_and_options() -> None:
    table = rows(5)
    assert set(table) == set(artifacts_sim.names())
    for name, (stage, _, knob, options) in table.items():
        art = artifacts_sim.get(name)
        assert (stage, knob) == (art.stage.name.lower(), art.knob.name)
        assert options == ", ".join(field.name for field in fields(art))


def test_the_table_of_levels_is_the_one_that_ships() -> None:
    table = rows(9)
    assert set(table) == set(artifacts_sim.names())
    for name, (knob, *levels, physical, _) in table.items():
        art = artifacts_sim.get(name)
        assert knob == art.knob.name
        assert levels == [
            shown(value) for value in artifacts_sim.named_grid("calibrated").knobs_of(name)
        ]
        assert physical == ", ".join(shown(value) for value in art.knob.physical)
