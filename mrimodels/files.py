"""Files of tensors as they come: read whole, from a regular file, and none that swells."""

import os
import stat
import zipfile
from io import BytesIO


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """What a regular file holds; what has no end, or waits for a writer, is none.

    Raises:
        OSError: It is none, or cannot be read.

    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "it is no regular file")
        return file.read()


def require_plain_archive(data: bytes) -> None:
    """Raise `zipfile.BadZipFile` for an archive that is damaged, or larger inside than outside.

    `torch.save` compresses nothing, and `torch.load` does not compare the checksums that it wrote.
    """
    with zipfile.ZipFile(BytesIO(data)) as archive:
        parts = archive.infolist()
        if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
            raise zipfile.BadZipFile("parts of it are compressed")
        if sum(part.file_size for part in parts) > len(data):
            raise zipfile.BadZipFile("its parts are larger than the file")
        if (damaged := archive.testzip()) is not None:
            raise zipfile.BadZipFile(f"checksum of {damaged} differs")
