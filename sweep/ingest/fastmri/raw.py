"""ISMRMRD raw data, as converters of the vendors' files write them, sorted into k-space.

::

    dataset/data    a readout a row: its head (which line, slice, ... it is) and its samples
    dataset/xml     the header

Taken are Cartesian, fully sampled stacks of slices with one readout for each line.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError
from sweep.ingest.fastmri.header import Encoding, Header, parse_encoding, parse_header
from sweep.store.checking import names, own
from sweep.store.geometry import Sampling

GROUP = "dataset"
# Bits of readouts that are no line of the image: noise, calibration alone, navigators, phase
# correction, feedback, dummy scans, surface coil correction, phase stabilization.
_NO_LINES = sum(1 << (flag - 1) for flag in (19, 20, 23, 24, 26, 27, 28, 29, 30, 31))
_BACKWARDS = 1 << (22 - 1)
_ONE_OF_EACH = ("kspace_encode_step_2", "average", "contrast", "phase", "repetition", "set")
REMEDY = "reconstruct it with the tools of its scanner, and ingest the images"


class Raw(NamedTuple):
    """How the readouts of a file become k-space.

    Attributes:
        slices: How many.
        sampling: The sampling of each, readout oversampling cropped.
        header: What the header says of the image that is not resampled.
        patient: The patient that it names; may be empty.
        protocol: The protocol that it names; may be empty.
        rows: (slice, line), the row of ``dataset/data`` of each line.
        columns: The column of each line.
        center: The sample of each readout at DC.
        kept: The first sample of a readout, and the one after the last, that are not discarded.
        matrix: Rows of the encoded matrix, with readout oversampling.

    """

    slices: int
    sampling: Sampling
    header: Header
    patient: str
    protocol: str
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    center: int
    kept: tuple[int, int]
    matrix: int


def is_raw(file: h5py.File) -> bool:
    """Whether a file is ISMRMRD raw data."""
    group = own(file, GROUP) if GROUP in names(file) else None
    return isinstance(group, h5py.Group) and {"data", "xml"}.issubset(group)


def survey_raw(path: Path, file: h5py.File) -> Raw:
    """Read the heads of all readouts, and none of their samples.

    Raises:
        UnusableError: It is not a fully sampled Cartesian stack of slices, one readout a line.

    """
    first = next(iter(np.ravel(file[GROUP]["xml"][()])), b"")
    text = first if isinstance(first, bytes) else str(first).encode()
    encoding, header = parse_encoding(text), parse_header(text)
    heads = file[GROUP]["data"].fields("head")[()]
    lines = np.flatnonzero((heads["flags"] & np.uint64(_NO_LINES)) == 0)
    heads = heads[lines]
    _refuse(path, _unlike(heads, encoding))
    rows, columns = encoding.matrix  # of the encoded matrix: along the readout, and across
    steps, places = heads["idx"]["kspace_encode_step_1"], heads["idx"]["slice"]
    order = np.lexsort((steps, places))
    count = len(np.unique(places))
    first_step, last_step, center = header.steps or (0, columns - 1, columns // 2)
    wanted = np.tile(np.arange(first_step, last_step + 1), count)
    whole = len(wanted) == len(order) and np.array_equal(steps[order], wanted)
    _refuse(path, None if whole else "undersampled, or several readouts are of one line")
    at = columns // 2 - center + np.arange(first_step, last_step + 1)
    one = heads[0]
    kept = int(one["discard_pre"]), int(one["number_of_samples"]) - int(one["discard_post"])
    start = rows // 2 - int(one["center_sample"])
    inside = start + kept[0] >= 0 and start + kept[1] <= rows and at[0] >= 0 and at[-1] < columns
    _refuse(path, None if inside else "of more samples or lines than the encoded matrix has")
    shape, pixel_mm = encoding.image()
    return Raw(
        slices=count,
        sampling=Sampling(
            int(one["active_channels"]), shape[0], columns, (int(at[0]), int(at[-1]) + 1)
        ),
        header=replace(header, matrix=shape, pixel_mm=pixel_mm),
        patient=encoding.patient,
        protocol=encoding.protocol,
        rows=lines[order].reshape(count, -1),
        columns=at,
        center=int(one["center_sample"]),
        kept=kept,
        matrix=rows,
    )


def raw_planes(path: Path, file: h5py.File) -> Iterator[NDArray[np.complex64]]:
    """K-space slice by slice, (coil, RO, PE) with DC at N // 2, readout oversampling cropped.

    Raises:
        UnusableError: See ``survey_raw``.

    """
    raw = survey_raw(path, file)
    samples = file[GROUP]["data"].fields("data")
    coils, rows, columns = raw.sampling.coils, raw.sampling.rows, raw.sampling.columns
    start, stop = raw.kept
    place = slice(raw.matrix // 2 - raw.center + start, raw.matrix // 2 - raw.center + stop)
    for of_slice in raw.rows:
        plane = np.zeros((coils, raw.matrix, columns), np.complex64)
        for row, column in zip(of_slice, raw.columns, strict=True):
            readout = samples[int(row)].view(np.complex64).reshape(coils, -1)
            plane[:, place, column] = readout[:, start:stop]
        yield plane if rows == raw.matrix else _cropped(plane, rows)


def _cropped(plane: NDArray[np.complex64], rows: int) -> NDArray[np.complex64]:
    """The k-space of the middle rows of the image alone."""
    image = np.fft.fftshift(
        np.fft.ifft(np.fft.ifftshift(plane, axes=1), axis=1, norm="ortho"), axes=1
    )
    top = plane.shape[1] // 2 - rows // 2
    middle = np.fft.ifftshift(image[:, top : top + rows], axes=1)
    return np.fft.fftshift(np.fft.fft(middle, axis=1, norm="ortho"), axes=1).astype(np.complex64)


def _unlike(heads: NDArray[Any], encoding: Encoding) -> str | None:
    """What the readouts are that cannot be sorted; None = they can."""
    if not len(heads):
        return "without a readout of an image"
    if encoding.trajectory != "cartesian":
        return f"with a trajectory that is {encoding.trajectory or 'not stated'}, not cartesian"
    if 0 in encoding.matrix:
        return "without an encoded matrix in the header"
    several = [name for name in _ONE_OF_EACH if len(np.unique(heads["idx"][name])) > 1]
    if several:
        return f"with several of {', '.join(several)}"
    if np.any(heads["flags"] & np.uint64(_BACKWARDS)):
        return "with lines read backwards, as of EPI"
    alike = ("number_of_samples", "active_channels", "center_sample", "discard_pre", "discard_post")
    uneven = [name for name in (*alike, "encoding_space_ref") if len(np.unique(heads[name])) > 1]
    return f"with readouts that differ in {', '.join(uneven)}" if uneven else None


def _refuse(path: Path, unlike: str | None) -> None:
    if unlike:
        raise UnusableError(
            "the file is ISMRMRD raw data other than a fully sampled Cartesian stack of slices, a "
            "readout for each line",
            f"{path}, {unlike}",
            REMEDY,
        )
