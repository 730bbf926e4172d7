"""Packed voxels (zlib, gzip) held to their own check sum, which the libraries do not always ask.

Nibabel reads no further than the last voxel, and the sum stands behind it. ITK gives of a MetaImage
whose packed voxels are damaged what happens to lie in memory.
"""

import gzip
import zlib
from pathlib import Path

from sweep.core.errors import UnusableError

ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS  # as the head of the stream says
AT_ONCE = 1 << 20  # bytes
GZIP = (".gz", ".mgz")


def is_gzip(path: Path) -> bool:
    """Whether a file is packed by gzip, as its name says."""
    return path.suffix.lower() in GZIP


def read_to_end(file: gzip.GzipFile) -> int:
    """Read what is left of an open gzip file, which compares it with its sum at the end.

    Returns:
        How many bytes were left.

    Raises:
        OSError, EOFError, zlib.error: It is damaged, or cut.

    """
    found = 0
    while some := file.read(AT_ONCE):
        found += len(some)
    return found


def check_gzip(path: Path, start: int, needed: int) -> None:
    """Unpack voxels by gzip, and keep nothing of them.

    Args:
        path: The file.
        start: Where the packed voxels begin in it.
        needed: Bytes that they unpack to.

    Raises:
        UnusableError: They unpack to another number of bytes.
        OSError, EOFError, zlib.error: They are damaged, or cut.

    """
    with path.open("rb") as file:
        file.seek(start)
        with gzip.GzipFile(fileobj=file) as unpacked:
            found = read_to_end(unpacked)
    if found != needed:
        raise _other_length(path, found, needed)


def check_zlib(path: Path, start: int, needed: int, said: int) -> None:
    """The same of voxels that are packed by zlib.

    Args:
        path: The file.
        start: Where the packed voxels begin in it.
        needed: Bytes that they unpack to.
        said: How many bytes the header says that they are packed in; ITK unpacks no more than
            these, and none where it does not say so (0).

    Raises:
        UnusableError: They unpack to another number of bytes, or of more than the header says.
        zlib.error: They are damaged.

    """
    unpacker, found = zlib.decompressobj(ZLIB_OR_GZIP), 0
    with path.open("rb") as file:
        file.seek(start)
        while not unpacker.eof and found <= needed:
            packed = unpacker.unconsumed_tail or file.read(AT_ONCE)
            unpacked = unpacker.decompress(packed, AT_ONCE)
            found += len(unpacked)
            if not packed and not unpacked:
                break
        taken = file.tell() - len(unpacker.unused_data) - start
    if not unpacker.eof or found != needed:
        raise _other_length(path, found, needed)
    if taken > said:
        raise UnusableError(
            "the header does not say in how many bytes the voxels are packed, or says too few",
            f"{path} with {taken} bytes, and {said} by its header",
            "save it again",
        )


def _other_length(path: Path, found: int, needed: int) -> UnusableError:
    return UnusableError(
        "the packed voxels are damaged: they do not unpack to what the header promises",
        f"{path} with {found} bytes, not {needed}",
        "copy or convert it again",
    )
