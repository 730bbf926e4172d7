"""A folder of phantom patients in the layouts that real data come in.

::

    volumes/phantom-0000.h5      one patient, as a fastMRI knee file
    labels.csv                   fastMRI+ layout: a box for each slice with a lesion
    file_list.csv                fastMRI+ layout: the labelled volumes, one name to a line
    rule.yaml                    the label rule of these
    images/phantom-0000_00.png   the same slices with 16 bits
    manifest.csv                 file, label, patient of those
"""

import csv
import json
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sweep.core.errors import UserError, require_known
from sweep.phantom.lesions import FINDINGS
from sweep.phantom.scan import Boxes, Matrix, Volume, scan
from sweep.phantom.volume_file import write_volume

FULL_SCALE = 2e-3  # the intensity that a PNG writes as 65535; one for all, so that slices compare
SMALLEST = 48  # pixels; in a smaller image the smallest lesion may fill none


@dataclass(frozen=True)
class Phantom:
    """What was made: the folder, and how many patients, slices, and slices with a lesion."""

    folder: Path
    patients: int
    slices: int
    lesions: int


def make_phantom(
    out: str | Path,
    patients: int = 40,
    seed: int = 0,
    *,
    slices: int = 6,
    rows: int = 192,
    columns: int = 108,
    size: int = 96,
    coils: int = 1,
    reconstruction: bool = True,
    findings: str = "one",
    progress: Callable[[int, int], None] | None = None,
) -> Phantom:
    """Make knee-like volumes with complex k-space; every second patient has lesions.

    One volume is one patient. Patient k depends on the seed, on k, on the sizes and on the kinds of
    findings, not on the number of patients. Every second pair of patients is scanned with fat
    suppression.

    Args:
        out: The new folder; it appears complete or not at all.
        patients: How many, at least 2.
        seed: Another seed, other patients.
        slices: Per volume.
        rows: K-space samples along the readout, twice ``size`` in fastMRI.
        columns: Phase-encoding lines.
        size: Side of the reconstructed square in pixels, at least 48.
        coils: Receivers; of more than one, volumes have fastMRI's multi-coil layout.
        reconstruction: Volumes hold the images too, not k-space alone.
        findings: ``one``: a lesion of the bone; ``four``: of ligament, meniscus, cartilage and
            bone, from one to all of them in a knee, which are the four labels of the rule
            ``madaan2023``.
        progress: Called with the number of patients made and the number of all patients.

    Raises:
        UserError: A number out of its range, or something in ``out``.

    """
    matrix = Matrix(slices, rows, columns, size, coils)
    _check_numbers(patients, matrix)
    require_known("findings", [findings], FINDINGS)
    kinds = FINDINGS[findings]
    boxes: dict[str, dict[str, Boxes]] = {}
    with _building(Path(out)) as folder:
        for number in range(patients):
            volume = _patient(number, seed, matrix, tuple(kinds.values()))
            path = folder / "volumes" / f"{volume.patient}.h5"
            write_volume(path, volume, matrix, reconstruction=reconstruction)
            _write_pictures(folder / "images", volume)
            boxes[volume.patient] = volume.boxes
            if progress is not None:
                progress(number + 1, patients)
        _write_tables(folder, boxes, slices, kinds)
    lesions = sum(len(set().union(*found.values())) for found in boxes.values())
    return Phantom(Path(out), patients, patients * slices, lesions)


def _patient(number: int, seed: int, matrix: Matrix, findings: tuple[str, ...]) -> Volume:
    """Scan patient ``number``.

    Sequence and lesions go by the number, so neither tells the other: every set of findings, in
    turns, is scanned once without and once with fat suppression.
    """
    chosen = number // 4 % (2 ** len(findings) - 1) + 1  # a bit for each finding
    return scan(
        f"phantom-{number:04d}",
        seed,
        matrix,
        findings=[name for bit, name in enumerate(findings) if number % 2 and chosen >> bit & 1],
        fat_suppressed=number // 2 % 2 == 1,
    )


def _check_numbers(patients: int, matrix: Matrix) -> None:
    if patients < 2:
        raise UserError(
            "the phantom would have fewer than 2 patients, of whom every second has a lesion",
            patients,
            "take at least 2",
        )
    fits = SMALLEST <= matrix.size <= min(matrix.rows, matrix.columns)
    if min(matrix.slices, matrix.coils) < 1 or not fits:
        raise UserError(
            f"the phantom would have no slice, no coil, an image below {SMALLEST} pixels, or one "
            "that does not fit into its k-space",
            matrix,
            "choose other sizes",
        )


@contextmanager
def _building(out: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``out``; when the block ends well, it becomes ``out``."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(
            "the folder for the phantom is neither new nor empty",
            out,
            "remove it or choose another name",
        )
    folder = out.resolve().with_name(f".{out.resolve().name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        for name in ("volumes", "images"):
            (folder / name).mkdir(parents=True)
        yield folder
        folder.replace(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_pictures(folder: Path, volume: Volume) -> None:
    for place, image in enumerate(volume.image):
        levels = np.rint(image * (65535 / FULL_SCALE)).astype(np.uint16)
        Image.fromarray(levels).save(folder / _picture(volume.patient, place))


def _picture(patient: str, place: int) -> str:
    return f"{patient}_{place:02d}.png"


def _write_tables(
    folder: Path, boxes: Mapping[str, Mapping[str, Boxes]], slices: int, kinds: Mapping[str, str]
) -> None:
    _write_csv(
        folder / "labels.csv",
        ("file", "slice", "study_level", "x", "y", "width", "height", "label"),
        (
            (patient, place, "No", *box, finding)
            for patient, found in boxes.items()
            for finding, of_finding in found.items()
            for place, box in of_finding.items()
        ),
    )
    _write_csv(
        folder / "manifest.csv",
        ("file", "label", "patient"),
        (
            (_picture(patient, place), "|".join(_labels(found, place, kinds)), patient)
            for patient, found in boxes.items()
            for place in range(slices)
        ),
    )
    (folder / "file_list.csv").write_text("".join(f"{patient}\n" for patient in boxes))
    rule = ", ".join(f"{label}: {json.dumps([finding])}" for label, finding in kinds.items())
    (folder / "rule.yaml").write_text(f"labels: {{{rule}}}\n")


def _labels(found: Mapping[str, Boxes], place: int, kinds: Mapping[str, str]) -> list[str]:
    return [label for label, finding in kinds.items() if place in found.get(finding, {})]


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str | int]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
