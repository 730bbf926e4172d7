"""A volume as a file of fastMRI's knee layout, single-coil or multi-coil."""

from pathlib import Path

import h5py
import numpy as np

from sweep.core.files import refused_by_system
from sweep.phantom.scan import Matrix, Volume

SIZE_MM = 140.0  # side of the reconstructed square, as in fastMRI's knees
# The elements that ISMRMRD's schema requires, and the encoding limits that fastMRI's readers use.
HEADER = """<?xml version="1.0" encoding="utf-8"?>
<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
  <experimentalConditions>
    <H1resonanceFrequency_Hz>63500000</H1resonanceFrequency_Hz>
  </experimentalConditions>
  <encoding>
    <encodedSpace>
      <matrixSize><x>{rows}</x><y>{columns}</y><z>1</z></matrixSize>
      <fieldOfView_mm><x>{rows_mm:g}</x><y>{columns_mm:g}</y><z>4.5</z></fieldOfView_mm>
    </encodedSpace>
    <reconSpace>
      <matrixSize><x>{size}</x><y>{size}</y><z>1</z></matrixSize>
      <fieldOfView_mm><x>{size_mm:g}</x><y>{size_mm:g}</y><z>3</z></fieldOfView_mm>
    </reconSpace>
    <encodingLimits>
      <kspace_encoding_step_1>
        <minimum>0</minimum><maximum>{last}</maximum><center>{center}</center>
      </kspace_encoding_step_1>
    </encodingLimits>
    <trajectory>cartesian</trajectory>
  </encoding>
</ismrmrdHeader>
"""


def write_volume(path: Path, volume: Volume, matrix: Matrix, *, reconstruction: bool) -> None:
    """Write k-space, header and attributes, and the reconstruction if asked for.

    With one coil the root-sum-of-squares and the single-coil reconstruction are the same; of
    several coils only the former exists.

    Raises:
        OSError: The disk does not take it.

    """
    with refused_by_system(path), h5py.File(path, "w") as file:
        file["kspace"] = volume.kspace
        if reconstruction:
            file["reconstruction_rss"] = volume.image
        if reconstruction and matrix.coils == 1:
            file["reconstruction_esc"] = volume.image
        file["ismrmrd_header"] = _header(matrix)
        file.attrs["acquisition"] = volume.acquisition
        file.attrs["max"] = float(volume.image.max())
        file.attrs["norm"] = float(np.linalg.norm(volume.image))
        file.attrs["patient_id"] = volume.patient


def _header(matrix: Matrix) -> bytes:
    pixel_mm = SIZE_MM / matrix.size
    return HEADER.format(
        rows=matrix.rows,
        columns=matrix.columns,
        size=matrix.size,
        rows_mm=matrix.rows * pixel_mm,
        columns_mm=matrix.columns * pixel_mm,
        size_mm=SIZE_MM,
        last=matrix.columns - 1,
        center=matrix.columns // 2,
    ).encode()
