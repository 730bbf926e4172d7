"""From fastMRI volumes with fastMRI+ findings to the plan of a store."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

from sweep.core.errors import UserError
from sweep.core.text import number_of
from sweep.ingest.fastmri.files import find_volumes
from sweep.ingest.fastmri.notes import count, folder_notes, label_notes, table_notes, volume_notes
from sweep.ingest.fastmri.reader import FastmriReader, Reconstruction
from sweep.ingest.fastmri.rule import load_rule
from sweep.ingest.fastmri.survey import Survey, Wide, survey
from sweep.ingest.fastmri.tables import Owner, Tables, read_tables
from sweep.ingest.fastmri.volume import STORED
from sweep.ingest.formats.manifest import unknown_source
from sweep.ingest.formats.pixels import check_size
from sweep.ingest.plan import Item, Plan, Progress, left_out_before
from sweep.ingest.workers import Waiting
from sweep.store.slices import Slice, scan_name, slice_key
from sweep.store.splits import SplitAssigner, assign_splits


def plan_fastmri(
    folders: Sequence[Path],
    *,
    labels: Path,
    reviewed: Path | Literal["all"] | None = None,
    patients: Path | None = None,
    split_column: str | None = None,
    columns: Sequence[str] = (),
    rule: str | Path | None = None,
    reconstruction: Reconstruction = "auto",
    kspace: bool = False,
    max_columns: int = 400,
    wide: Wide = "drop",
    size: int | None = None,
    assigner: SplitAssigner,
    workers: int = 1,
    progress: Progress | None = None,
    waiting: Waiting | None = None,
) -> Plan:
    """Plan a store of volumes; reads tables and headers, no pixel.

    Args:
        folders: The HDF5 files below them are the volumes; one volume is one item.
        labels: Findings, see ``read_findings``.
        reviewed: List of the volumes that a reader has looked at, see ``read_reviewed``; others
            are left out. 'all' = every volume was reviewed; None = those with a finding were.
        patients: Table of patients, see ``read_patients``; a volume that it does not name belongs
            to the patient that its attribute ``patient_id`` names, or else to one of its own.
        split_column: The split column of that table; None = patients are assigned to splits.
        columns: Further columns of that table to keep; unknown of a volume that it does not name.
        rule: The rule from findings to labels, see ``load_rule``; None = the one that is shipped
            and knows the findings, see ``choose_rule``.
        reconstruction: Where images come from, see ``FastmriReader``.
        kspace: Keep k-space beside the images, which are then made of it.
        max_columns: Volumes with more columns of k-space are wide.
        wide: 'drop' them or 'keep' them.
        size: Pad images to a square and resize to (size, size); None = they have one size.
        assigner: The assignment of patients to splits.
        workers: Processes that read headers.
        progress: Called with the number of headers read and the number of all.
        waiting: See ``look``.

    Raises:
        UserError: Settings that contradict one another; an unusable table, rule or folder; images
            of several sizes; a split for some volumes only; no volume left.

    """
    _check_settings(reconstruction, kspace, max_columns, size)
    loaded = None if rule is None else load_rule(rule)
    found, others = find_volumes(folders)
    tables = read_tables(
        found,
        loaded,
        labels=labels,
        reviewed=reviewed,
        patients=patients,
        split_column=split_column,
        columns=columns,
    )
    reader = FastmriReader(reconstruction, kspace, size)
    taken = _taken(found, tables)
    surveyed = survey(
        taken,
        reader,
        max_columns=max_columns,
        wide=wide,
        workers=workers,
        progress=progress,
        waiting=waiting,
    )
    owners = {name: tables.owner(name, volume) for name, volume in surveyed.volumes.items()}
    with left_out_before(surveyed.skipped, "volume"):
        items = _items(surveyed, tables, owners, assigner)
    counts = count(found, tables, surveyed, owners)
    return Plan(
        items=items,
        reader=reader,
        shape=surveyed.shape,
        label_names=tuple(tables.rule.labels),
        task="multilabel",
        declared=True,
        kspace=surveyed.frame if kspace else None,
        skipped=surveyed.skipped,
        notes=(
            *folder_notes(others),
            *table_notes(tables, counts),
            *volume_notes(surveyed, tables, counts, max_columns, wide),
            *label_notes(tables.rule.labels, items),
        ),
        source={
            "kind": "fastmri",
            "folders": [str(folder) for folder in folders],
            "labels": str(labels),
            "reviewed": str(reviewed) if reviewed else None,
            "patients": str(patients) if patients else None,
            "splits": _splits(split_column, assigner),
            "rule": tables.rule.to_plain(),
            "reconstruction": reconstruction,
            "kspace": kspace,
            "max_columns": max_columns,
            "wide": wide,
            "size": size,
            "counts": counts,
            **({"columns": list(columns)} if columns else {}),
            **unknown_source(counts["patients_unknown"]),
        },
    )


def _splits(column: str | None, assigner: SplitAssigner) -> dict[str, object]:
    return {"column": column} if column else assigner.to_plain()


def _check_settings(
    reconstruction: Reconstruction, kspace: bool, max_columns: int, size: int | None
) -> None:
    if kspace and reconstruction in STORED:
        raise UserError(
            "--kspace excludes stored images, as clean and corrupted images are to come from one "
            "acquisition",
            f"--kspace and --reconstruction {reconstruction}",
            "leave one of the two out",
        )
    if kspace and size is not None:
        raise UserError(
            "--kspace excludes --size, as images with k-space keep the size of their acquisition",
            f"--kspace and --size {size}",
            "leave one of the two out",
        )
    check_size(size)
    if max_columns < 1:
        raise UserError("the limit of columns is below 1", max_columns, "take at least 1")


def _taken(found: Mapping[str, Path], tables: Tables) -> dict[str, Path]:
    taken = {name: path for name, path in found.items() if tables.takes(name)}
    if not taken:
        raise UserError(
            "the label file and the list of reviewed volumes name no volume in the folders",
            f"{number_of(len(found), 'volume')} in the folders ({next(iter(found))}, for one)",
            "give the tables that belong to these volumes, or pass 'all' with --reviewed",
        )
    return taken


def _items(
    surveyed: Survey, tables: Tables, owners: Mapping[str, Owner], assigner: SplitAssigner
) -> tuple[Item, ...]:
    slices = [
        Slice(
            key=slice_key(scan_name(owners[name].patient, name), number),
            scan=scan_name(owners[name].patient, name),
            number=number,
            patient=owners[name].patient,
            split=owners[name].split,
            labels=tables.labels(name, number),
            origin=f"{volume.path}, slice {number}",
            sequence=volume.acquisition,
            geometry=surveyed.geometries[name],
            columns=owners[name].columns,
        )
        for name, volume in surveyed.volumes.items()
        for number in range(volume.slices)
    ]
    assigned = iter(assign_splits(slices, assigner))
    return tuple(
        Item(name, (volume.path,), tuple(islice(assigned, volume.slices)))
        for name, volume in surveyed.volumes.items()
    )
