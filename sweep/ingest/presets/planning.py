"""From a preset and a folder to the plan of a store, by the plans that every user has."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

from sweep.core.errors import UserError, require_known
from sweep.ingest.fastmri.planning import plan_fastmri
from sweep.ingest.fastmri.reader import Reconstruction
from sweep.ingest.formats.planes import Axis, Format
from sweep.ingest.images import CHANNELS, plan_pictures
from sweep.ingest.making import Making
from sweep.ingest.plan import Plan
from sweep.ingest.presets.preset import Preset, spelt
from sweep.ingest.presets.rows import Asked, rows_of
from sweep.ingest.presets.tables import Tables
from sweep.ingest.volumes import plan_scans


def plan_preset(
    preset: Preset,
    folder: Path,
    making: Making,
    asked: Asked,
    form: Format,
    *,
    axis: Axis = "acquired",
    middle: int | None = None,
) -> Plan:
    """Plan a store of a data set that lies as a preset says.

    Args:
        preset: The preset.
        folder: The folder of the data set.
        making: What is asked of the store.
        asked: What is asked of the data set.
        form: The form of its volumes, where it is of volumes or DICOM.
        axis: The axis that planes of volumes lie along.
        middle: See ``plan_scans``.

    Raises:
        UserError: See ``rows_of`` and the plan of each kind.

    """
    if preset.kind == "fastmri":
        return _of_fastmri(preset, folder, making, asked)
    collection = rows_of(preset, folder, asked)
    if preset.kind == "images":
        if not preset.channel:
            return plan_pictures(collection, making)
        name = _one(preset.channel, preset, asked, "channel", CHANNELS)
        return plan_pictures(collection, making, channel=CHANNELS.index(name))
    return plan_scans(
        collection,
        form,
        making,
        axis=axis,
        middle=middle,
        unknown=asked.reading.unknown_patients,
    )


def _one(text: str, preset: Preset, asked: Asked, what: str, known: Collection[str]) -> str:
    """What a text of a preset says with the choices in it: one of those that are known."""
    names = spelt(text, preset.chosen(asked.choices))
    require_known(f"the {what} of the preset {preset.name}", names, known)
    if len(names) > 1:
        raise UserError(
            f"the {what} of the preset {preset.name} is several",
            ", ".join(names),
            "give each value of its choice one spelling",
        )
    return names[0]


def _of_fastmri(preset: Preset, folder: Path, making: Making, asked: Asked) -> Plan:
    says = preset.fastmri
    if says is None:
        raise UserError("the preset does not say its tables", preset.name, "add 'fastmri' to it")
    where = asked.tables or folder
    tables = Tables(preset, where, preset.chosen(asked.choices))
    known = get_args(Reconstruction)
    reconstruction = _one(says.reconstruction, preset, asked, "reconstruction", known)
    plan = plan_fastmri(
        [folder],
        labels=tables.found(says.labels),
        reviewed=tables.found(says.reviewed) if says.reviewed else None,
        patients=tables.found(says.patients) if says.patients else None,
        split_column=says.split_column or None if asked.splits else None,
        columns=asked.keep,
        rule=says.rule,
        reconstruction=cast("Reconstruction", reconstruction),
        size=making.size,
        assigner=making.assigner,
        workers=making.workers,
        progress=making.progress,
        waiting=making.waiting,
    )
    elsewhere = [
        f"The table {file} is not at its place; taken from {path}."
        for file, path in tables.elsewhere.items()
    ]
    return replace(
        plan,
        source={**plan.source, "preset": preset.to_plain(asked.choices)},
        notes=(*elsewhere, *plan.notes, *preset.notes),
    )
