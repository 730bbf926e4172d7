"""Reading the planes of a fastMRI volume, and the choice of the image that goes with a slice."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sweep.core.errors import UnusableError
from sweep.ingest.fastmri.reconstruction import reconstruct
from sweep.ingest.fastmri.volume import (
    STORED,
    Stored,
    Volume,
    many_axes,
    read_kspace,
    read_stored,
    read_volume,
)
from sweep.ingest.formats.pixels import fit_square, fitted_mm, native_size
from sweep.ingest.plan import Item, Plane
from sweep.store.geometry import Geometry

Reconstruction = Literal["auto", "kspace", "rss", "esc", "b50", "b1000", "b1500", "adc"]
Source = Stored | Literal["kspace"]


@dataclass(frozen=True)
class FastmriReader:
    """Reads volumes of fastMRI's layout.

    Attributes:
        reconstruction: A key of ``STORED``, the images as stored; 'kspace', made of it; 'auto',
            those of 'rss' where the file has them, else made.
        kspace: The k-space is kept beside the images. They are always made of it then: clean and
            corrupted images have to come from one acquisition, and in a single-coil file
            reconstruction_rss is of all coils, while its k-space is of one emulated coil.
        size: Pad to a square and resize to (size, size), see ``fit_square``; None = as in the file.

    """

    reconstruction: Reconstruction
    kspace: bool
    size: int | None

    def __call__(self, item: Item) -> Iterator[Plane]:
        """Give the planes of a volume, one at a time.

        Raises:
            UnusableError: See ``read_volume``, ``source``; another number of slices than was
                planned.

        """
        volume = read_volume(item.paths[0])
        if volume.slices != len(item.slices):
            raise UnusableError(
                "the file was changed during the ingest",
                f"{volume.path}, which had {len(item.slices)} slices and has {volume.slices}",
                "start again",
            )
        pixel_mm = self._pixel_mm(volume)
        for image, kspace in self._planes(volume):
            yield Plane(fit_square(image, pixel_mm, self.size) if self.size else image, kspace)

    def source(self, volume: Volume) -> Source:
        """Where the images of a volume come from.

        Raises:
            UnusableError: The file lacks the reconstruction asked for; images are to be made of
                its k-space, or that is to be kept, and it is undersampled or not there.

        """
        if not self.kspace and self.reconstruction != "kspace":
            wanted: Stored = "rss" if self.reconstruction == "auto" else self.reconstruction
            if wanted in volume.stored:
                return wanted
            if self.reconstruction != "auto":
                raise UnusableError(
                    f"the volume has no {STORED[wanted]}",
                    volume.path,
                    f"pass --reconstruction {' or '.join((*volume.stored, 'auto'))}, or remove the "
                    "file",
                )
        if volume.unread:
            raise many_axes(volume.path, volume.unread, volume.stored)
        images_alone = volume.sampling is None and not self.kspace and bool(volume.stored)
        if images_alone and self.reconstruction == "auto":
            raise UnusableError(
                "the volume has neither reconstruction_rss nor k-space to make images of",
                f"{volume.path}, with {', '.join(STORED[which] for which in volume.stored)}",
                f"pass --reconstruction {' or '.join(volume.stored)}",
            )
        if volume.sampling is None:
            raise UnusableError(
                "the volume has no k-space to make images of",
                volume.path,
                "fetch the whole file, or remove it",
            )
        if volume.undersampled:
            raise UnusableError(
                "the k-space to make images of is undersampled",
                f"{volume.path}, which has a 'mask'",
                "remove the file",
            )
        return "kspace"

    def shape(self, volume: Volume) -> tuple[int, int]:
        """(H, W) of the planes of a volume.

        Raises:
            UnusableError: See ``source``; an image is to be made and neither a reconstruction nor
                the header says of what size.

        """
        shape = self._own_shape(volume)
        return (self.size, self.size) if self.size else shape

    def geometry(self, volume: Volume) -> Geometry:
        """Where the pixels of the planes of a volume lie, and how its k-space was sampled.

        Raises:
            UnusableError: See ``shape``, ``fitted_mm``.

        """
        shape, pixel_mm = self._own_shape(volume), self._pixel_mm(volume)
        native = native_size(shape, pixel_mm, self.size)
        if pixel_mm and self.size:
            pixel_mm = fitted_mm(shape, pixel_mm, self.size)
        sampling = volume.sampling if self.kspace else None
        return Geometry(pixel_mm, volume.header.thickness_mm, sampling=sampling, native=native)

    def _pixel_mm(self, volume: Volume) -> tuple[float, float] | None:
        """Spacings before a resize; a header that speaks of another image does not know them."""
        header = volume.header
        return header.pixel_mm if header.matrix == self._own_shape(volume) else None

    def _own_shape(self, volume: Volume) -> tuple[int, int]:
        source = self.source(volume)
        return _made_shape(volume) if source == "kspace" else volume.stored[source]

    def _planes(self, volume: Volume) -> Iterator[Plane]:
        """Planes in the size of the file."""
        source = self.source(volume)
        if source != "kspace":
            yield from map(Plane, read_stored(volume, source))
            return
        shape = _made_shape(volume)
        for kspace in read_kspace(volume):
            yield Plane(reconstruct(kspace, shape), kspace if self.kspace else None)


def _made_shape(volume: Volume) -> tuple[int, int]:
    """Give the size of the stored images, or else what the header says."""
    shape = next(iter(volume.stored.values()), volume.header.matrix)
    if shape is None:
        raise UnusableError(
            "the size of the images to be made is unknown, as the volume has neither a stored "
            "reconstruction nor a size in its header",
            volume.path,
            "add reconstruction_rss, or remove the file",
        )
    return shape
