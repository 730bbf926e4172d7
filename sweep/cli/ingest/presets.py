"""``ingest preset`` and ``ingest presets``: data sets in public use, as they are laid out."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, command, room, show
from sweep.cli.ingest.carrying_out import ingesting
from sweep.cli.ingest.dicom import add_take, dicom_files
from sweep.cli.ingest.marks import add_least
from sweep.cli.ingest.options import (
    add_columns,
    add_common,
    add_patients,
    add_task,
    columns_of,
    making_of,
)
from sweep.cli.ingest.pairs import pairs
from sweep.cli.ingest.volumes import add_axis, add_choices, volume_files
from sweep.core.errors import refuse

if TYPE_CHECKING:
    from sweep.ingest.plan import Plan
    from sweep.ingest.presets.preset import Preset

PRESET = (
    "A preset says how the files of a data set in public use lie and what says their labels, "
    "patients and splits: `mrisweep ingest presets` lists them. The data are yours to get, by the "
    "terms of who publishes them."
)


def add_presets(kinds: Commands) -> None:
    """``ingest preset`` and ``ingest presets``."""
    preset = command(
        kinds,
        "preset",
        ingesting(_plan_preset),
        "make a store of a data set in public use, as it is laid out",
        PRESET,
    )
    preset.add_argument("name", metavar="NAME", help="of the preset, or a file of your own, *.yaml")
    preset.add_argument("folder", type=Path, metavar="DIR", help="the folder of the data set")
    preset.add_argument(
        "--choose",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="what the preset leaves to choose, such as plane=sagittal",
    )
    preset.add_argument(
        "--tables", type=Path, metavar="DIR", help="where its tables are; by default in its folder"
    )
    preset.add_argument(
        "--ignore-splits",
        action="store_true",
        help="pass over the splits that are published, and assign patients anew",
    )
    add_axis(preset)
    add_take(preset)
    add_choices(preset)
    add_least(preset)
    add_patients(preset)
    add_columns(preset, "its tables")
    add_task(preset)
    add_common(preset)
    presets = command(
        kinds,
        "presets",
        _do_presets,
        "list the data sets that `ingest preset` knows, or print all of one",
        "Each with its source, the name of its licence, its layout, its labels, and what it leaves "
        "open.",
    )
    presets.add_argument("name", nargs="?", metavar="NAME", help="print all of it")


def _plan_preset(options: argparse.Namespace) -> "Plan":
    from sweep.ingest.formats.manifest import Reading
    from sweep.ingest.formats.marks.area import area_of
    from sweep.ingest.presets.planning import plan_preset
    from sweep.ingest.presets.reading import load_preset
    from sweep.ingest.presets.rows import Asked

    preset = load_preset(options.name)
    _check_meant(options, preset)
    asked = Asked(
        tables=options.tables,
        choices=pairs("--choose", options.choose, "plane=sagittal"),
        keep=[name for name in columns_of(options) if name not in preset.columns],
        splits=not options.ignore_splits,
        least=area_of(options.least_area) if options.least_area is not None else None,
        below=options.below,
        reading=Reading(
            patient_pattern=options.patient_pattern, unknown_patients=options.unknown_patients
        ),
    )
    form = dicom_files(options) if preset.kind == "dicom" else volume_files(options)
    making = making_of(options, "pictures" if preset.kind == "images" else "volumes")
    return plan_preset(
        preset, options.folder, making, asked, form, axis=options.axis, middle=options.middle
    )


# What an option is where it is not given, and the kinds of presets that it means something for.
FILES = ("images", "volumes", "dicom")
MEANT: dict[str, tuple[object, tuple[str, ...]]] = {
    "axis": ("acquired", ("volumes", "dicom")),
    "middle": (None, ("volumes", "dicom")),
    "take": ([], ("dicom",)),
    "array": (None, ("volumes",)),
    "nan": ("refuse", ("volumes",)),
    "task": (None, FILES),
    "patient_pattern": (None, FILES),
    "unknown_patients": ("refuse", FILES),
}


def _check_meant(options: argparse.Namespace, preset: "Preset") -> None:
    """Refuse options that would be passed over in silence."""
    given = vars(options)
    lost = [
        name
        for name, (default, kinds) in MEANT.items()
        if given[name] != default and preset.kind not in kinds
    ]
    if not preset.mask:
        lost += [
            name
            for name, usual in (("least_area", None), ("below", "negative"))
            if given[name] != usual
        ]
    refuse(
        f"options mean nothing for {preset.name}, which is of the kind {preset.kind}"
        + ("" if preset.mask else " and has no masks"),
        [f"--{name.replace('_', '-')}" for name in lost],
        "leave them out",
    )


def _do_presets(options: argparse.Namespace) -> None:
    from sweep.ingest.presets.reading import load_preset
    from sweep.ingest.presets.telling import presets_table, told

    if options.name is None:
        print(presets_table(room()))
    else:
        show(told(load_preset(options.name)))
