"""Reading the headers of many fastMRI volumes, and judging which of them can go into one store."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sweep.core.errors import UserError
from sweep.ingest.fastmri.reader import FastmriReader, Source
from sweep.ingest.fastmri.volume import Volume, read_volume
from sweep.ingest.looking import Look, look
from sweep.ingest.plan import Progress, Skipped, common_shape
from sweep.ingest.workers import Waiting
from sweep.store.geometry import Frame, Geometry

Wide = Literal["drop", "keep"]


@dataclass(frozen=True)
class Survey:
    """What was found of the volumes that the tables take.

    Attributes:
        volumes: The volumes by name, those to be read, at least one.
        geometries: The geometries of the slices of each.
        skipped: Those that cannot be used.
        wide: Names of those with more columns than asked for, kept or not.
        shape: (H, W) of all images.
        sources: How many volumes take their images from where.

    """

    volumes: Mapping[str, Volume]
    geometries: Mapping[str, Geometry]
    skipped: tuple[Skipped, ...]
    wide: tuple[str, ...]
    shape: tuple[int, int]
    sources: Counter[Source]

    @property
    def frame(self) -> Frame:
        """The sizes that hold the k-space of every volume that has any."""
        samplings = [one.sampling for one in self.volumes.values() if one.sampling is not None]
        return Frame(
            max(one.coils for one in samplings),
            max(one.rows for one in samplings),
            max(one.columns for one in samplings),
        )


def survey(
    paths: Mapping[str, Path],
    reader: FastmriReader,
    *,
    max_columns: int,
    wide: Wide,
    workers: int,
    progress: Progress | None,
    waiting: Waiting | None,
) -> Survey:
    """Read the header of every volume.

    Args:
        paths: The paths by name.
        reader: Says where the images come from.
        max_columns: The max columns of k-space; a volume with more is wide.
        wide: Whether wide volumes are dropped.
        workers: Processes that read headers.
        progress: Called with the number of headers read and the number of all.
        waiting: See ``look``.

    Raises:
        UserError: No volume is left; images of several sizes without a size to bring them to.

    """
    seen = look(
        Look(_VolumeFor(reader), _name_of),
        list(paths.items()),
        workers=workers,
        progress=progress,
        waiting=waiting,
    )
    skipped = seen.skipped
    volumes = {name: volume for (name, _), (volume, _) in seen.found}
    geometries = {name: geometry for (name, _), (_, geometry) in seen.found}
    over = tuple(
        name
        for name, one in volumes.items()
        if one.sampling is not None and one.sampling.columns > max_columns
    )
    if wide == "drop":
        volumes = {name: volume for name, volume in volumes.items() if name not in over}
    if not volumes:
        raise UserError(
            "no volume can be used",
            _left_out(skipped, over, max_columns),
            "raise --max-columns" if over and not skipped else "repair the files",
        )
    return Survey(
        volumes=volumes,
        geometries=geometries,
        skipped=skipped,
        wide=over,
        shape=common_shape(
            ((name, reader.shape(volume)) for name, volume in volumes.items()),
            "ingest those of each size apart, as images with k-space keep their size"
            if reader.kspace
            else "pass --size to bring all to one size",
        ),
        sources=Counter(map(reader.source, volumes.values())),
    )


def _name_of(named: tuple[str, Path]) -> str:
    return named[0]


@dataclass(frozen=True)
class _VolumeFor:
    """A volume without its pixels, and the geometry of what a reader makes of it."""

    reader: FastmriReader

    def __call__(self, named: tuple[str, Path]) -> tuple[Volume, Geometry]:
        volume = read_volume(named[1])
        return volume, self.reader.geometry(volume)


def _left_out(skipped: Sequence[Skipped], wide: tuple[str, ...], max_columns: int) -> str:
    unusable = [f"{one.name} ({one.reason})" for one in skipped[:3]]
    columns = [f"{wide[0]} (more than {max_columns} columns)"] if wide else []
    examples = ", ".join([*unusable, *columns])
    return f"{len(skipped)} unusable and {len(wide)} too wide, among them {examples}"
