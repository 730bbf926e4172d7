"""What was counted while an ingest of fastMRI was planned, and what of it a user should know."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from sweep.core.text import SHOWN, listed
from sweep.ingest.fastmri.findings import Reviewed
from sweep.ingest.fastmri.rule import StudyLevel
from sweep.ingest.fastmri.survey import Survey, Wide
from sweep.ingest.fastmri.tables import Owner, Tables
from sweep.ingest.plan import Item

Counts = Mapping[str, int]
STUDY_LEVEL: Mapping[StudyLevel, str] = {
    "slice": "count at the slice they name",
    "volume": "count at every slice of it",
    "drop": "are dropped",
}


def count(
    found: Collection[str], tables: Tables, surveyed: Survey, owners: Mapping[str, Owner]
) -> dict[str, int]:
    """Count volumes, rows and patients by what became of them; ``found`` = all in the folders."""
    taken = [name for name in found if tables.takes(name)]
    listed = tables.reviewed.files if isinstance(tables.reviewed, Reviewed) else frozenset[str]()
    told_by = Counter(owner.told_by for owner in owners.values())
    return {
        "rows": len(tables.findings.rows) + tables.findings.duplicates,
        "duplicate_rows": tables.findings.duplicates,
        "ignored_rows": tables.labelled.ignored,
        "study_level_rows": tables.labelled.study_level,
        "rows_beyond_volume": len(_rows_beyond(surveyed, tables)),
        "reviewed_absent": len(listed.difference(found)),
        "labelled_absent": len(tables.with_rows.difference(found)),
        "stray_lines": len(tables.reviewed.stray) if isinstance(tables.reviewed, Reviewed) else 0,
        "volumes_found": len(found),
        "volumes_not_reviewed": len(found) - len(taken),
        "volumes_without_row": len(set(taken) - tables.with_rows),
        "volumes_unusable": len(surveyed.skipped),
        "volumes_wide": len(surveyed.wide),
        "volumes": len(surveyed.volumes),
        "images_stored": surveyed.sources["rss"] + surveyed.sources["esc"],
        "images_made": surveyed.sources["kspace"],
        "patients_by_table": told_by["table"],
        "patients_by_attribute": told_by["attribute"],
        "patients_unknown": told_by["own"],
    }


def folder_notes(others: Counter[str]) -> Iterator[str]:
    """Say which files of the folders are no volumes.

    Args:
        others: How many there are of each kind, see ``find_volumes``.

    """
    if others:
        kinds = listed([f"{count} {kind}" for kind, count in others.most_common()])
        total = others.total()
        yield f"Files in the folders that are no volumes by their names: {total} ({kinds})."


def table_notes(tables: Tables, counts: Counts) -> Iterator[str]:
    """Say what of the tables is used, and what is missing."""
    at = STUDY_LEVEL[tables.rule.study_level]
    if tables.chosen:
        rule = tables.rule
        yield (
            f"Label rule: {rule.name}, for findings of the {rule.anatomy}, chosen by those of the "
            "label file; --rule takes another."
        )
    sentences = {
        "duplicate_rows": "Rows of the label file that repeat another in every cell: {}; dropped.",
        "ignored_rows": "Rows of the label file that the label rule ignores: {}.",
        "study_level_rows": f"Rows of the label file about a whole volume: {{}}; they {at}.",
        "stray_lines": "Lines of the list of reviewed volumes that name none: {}; left out.",
        "reviewed_absent": "Reviewed volumes that are not in the folders: {}.",
        "labelled_absent": "Volumes with findings that are not in the folders: {}.",
        **_reviewed_sentence(tables),
    }
    for name, sentence in sentences.items():
        if counts[name]:
            yield sentence.format(counts[name], counts["volumes_found"])


def _reviewed_sentence(tables: Tables) -> dict[str, str]:
    if tables.reviewed == "all":
        row = "Volumes without a row in the label file: {} of {}; they count as without a finding."
        return {"volumes_without_row": row}
    if tables.reviewed is None:
        unknown = (
            "Volumes without a row in the label file: {} of {}; left out, as they are not known to "
            "be reviewed. Pass the list of reviewed volumes, or 'all', with --reviewed."
        )
        return {"volumes_not_reviewed": unknown}
    return {"volumes_not_reviewed": "Volumes not on the list of reviewed ones: {} of {}; left out."}


def volume_notes(
    surveyed: Survey, tables: Tables, counts: Counts, max_columns: int, wide: Wide
) -> Iterator[str]:
    """Say what of the volumes themselves calls for attention."""
    if surveyed.wide:
        done = "dropped" if wide == "drop" else "kept"
        yield (
            f"Volumes with more than {max_columns} columns of k-space: {len(surveyed.wide)}; "
            f"{done}: {_named(surveyed.wide)}."
        )
    if counts["images_stored"] and counts["images_made"]:
        yield (
            f"Images made of k-space, as their files store none: of {counts['images_made']} "
            f"volumes; as stored: of {counts['images_stored']}. In a single-coil file the two "
            "differ, for the stored image is of all coils and the k-space of one emulated coil; "
            "--reconstruction kspace makes all alike."
        )
    if beyond := _rows_beyond(surveyed, tables):
        yield (
            f"Rows that name a slice which their volume does not have: {len(beyond)}; left out: "
            f"{_named(beyond)}."
        )
    if counts["patients_by_table"] and counts["patients_by_attribute"]:
        yield (
            "Volumes that the table of patients does not name: "
            f"{counts['patients_by_attribute']}; their patient is the one that the file names."
        )
    if counts["patients_unknown"]:
        yield (
            f"Volumes of an unknown patient: {counts['patients_unknown']}; each counts as a "
            "patient's only one. Where that is wrong scores are flattered: pass --patients."
        )


def label_notes(labels: Collection[str], items: Sequence[Item]) -> Iterator[str]:
    """Say which labels no slice shows."""
    shown = frozenset[str]().union(*(one.labels for item in items for one in item.slices))
    if absent := [name for name in labels if name not in shown]:
        yield f"Labels that no slice shows, and that cannot be scored: {', '.join(absent)}."


def _rows_beyond(surveyed: Survey, tables: Tables) -> list[str]:
    return [
        f"{name}, slice {number} of {volume.slices}"
        for name, volume in surveyed.volumes.items()
        for number in tables.rows_beyond(name, volume.slices)
    ]


def _named(names: Sequence[str]) -> str:
    return ", ".join(islice(names, SHOWN)) + (", ..." if len(names) > SHOWN else "")
