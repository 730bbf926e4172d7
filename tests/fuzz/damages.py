"""Damage to a file, drawn from a key: by byte, and by the fields of its format."""

import contextlib
import gzip
import random
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np

from tests.fuzz.samples import unzipped, zipped

HEAD = 1024
Way = Callable[[bytes, random.Random], bytes]
ODD_SHORTS = (0, 1, 2, 7, 8, 15, 16, 17, 255, 256, 32767, 32768, 65535)
ODD_LONGS = (0, 1, 7, 16, 255, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
ODD_FLOATS = (0.0, -1.0, 1e-30, 1e30, 3e38, float("nan"), float("inf"), float("-inf"), 352.5)
ODD_TEXTS = (
    *("", "0", "-1", "1e400", "nan", "inf", "99999999999999999999", "a\\b\\c", "\\", "x" * 70),
    *("1\\2", "1\\2\\3\\4\\5\\6", "0\\0\\0\\0\\0\\0", "..", "\x00", "\xff\xfe", " 3 ", "16"),
)


def damaged(name: str, content: bytes, rng: random.Random) -> tuple[str, bytes]:
    """What was done to a file, and what it holds then.

    Args:
        name: Its name, of which the suffix says the format.
        content: What it held.
        rng: Where the damage is drawn from.

    """
    for _ in range(20):
        by_field = rng.random() < 0.55
        ways = fields_of(name, content) if by_field else {}
        if not ways:
            ways = BYTES
        what = rng.choice(sorted(ways))
        with contextlib.suppress(ValueError, LookupError, struct.error, OSError):
            made = ways[what](content, rng)
            if made != content:
                return what, made
    return "cut", content[: len(content) // 2]


def flips(content: bytes, rng: random.Random, head: int | None = None) -> bytes:
    made = bytearray(content)
    size = min(len(made), head or len(made))
    for _ in range(2 ** rng.randrange(7)):
        made[rng.randrange(size)] ^= 1 << rng.randrange(8)
    return bytes(made)


def flips_in_head(content: bytes, rng: random.Random) -> bytes:
    return flips(content, rng, rng.choice([64, 400, HEAD]))


def cut(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[: min(at, rng.choice([len(content), HEAD]))]


def cut_end(content: bytes, rng: random.Random) -> bytes:
    return content[: -rng.randrange(1, min(len(content), 17))]


def run_of(value: int) -> Way:
    def way(content: bytes, rng: random.Random) -> bytes:
        at = rng.randrange(len(content))
        length = min(2 ** rng.randrange(11), len(content) - at)
        return content[:at] + bytes([value]) * length + content[at + length :]

    return way


def swapped(content: bytes, rng: random.Random) -> bytes:
    length = min(2 ** rng.randrange(9), len(content) // 2)
    first = rng.randrange(len(content) - 2 * length + 1)
    second = rng.randrange(first + length, len(content) - length + 1)
    a, b = content[first : first + length], content[second : second + length]
    between = content[first + length : second]
    return content[:first] + b + between + a + content[second + length :]


def inserted(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.randbytes(2 ** rng.randrange(8)) + content[at:]


def removed(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + content[at + 2 ** rng.randrange(8) :]


def doubled(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    length = 2 ** rng.randrange(10)
    return content[: at + length] + content[at : at + length] + content[at + length :]


def overwritten(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(min(len(content), rng.choice([HEAD, len(content)])))
    kind = rng.choice(["<H", ">H", "<I", ">I", "<f", ">f", "<d", ">d"])
    odd = {"H": ODD_SHORTS, "I": ODD_LONGS}.get(kind[1], ODD_FLOATS)
    some = struct.pack(kind, rng.choice(odd))
    return content[:at] + some + content[at + len(some) :]


def nothing_left(content: bytes, rng: random.Random) -> bytes:
    return rng.choice([b"", bytes(len(content)), b"\xff" * len(content), rng.randbytes(500)])


BYTES: Mapping[str, Way] = {
    "bits flipped": flips,
    "bits flipped in the head": flips_in_head,
    "cut": cut,
    "cut at the end": cut_end,
    "zeros": run_of(0),
    "ones": run_of(255),
    "blocks swapped": swapped,
    "inserted": inserted,
    "removed": removed,
    "doubled": doubled,
    "odd number": overwritten,
    "nothing left": nothing_left,
}


def fields_of(name: str, content: bytes) -> Mapping[str, Way]:
    """The ways to damage the fields of a format; none of one that has none."""
    if content[:2] == b"\x1f\x8b":
        return {"inside of gzip": inside_gzip(name)}
    if content[:4] == b"PK\3\4":
        return {"inside of zip": inside_zip}
    if content[:8] == b"\x89HDF\r\n\x1a\n":
        return HDF5
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return {"PNG chunk": png_chunk}
    if content[:3] == b"\xff\xd8\xff":
        return {"JPEG segments": jpeg_segments}
    if content[:4] in (b"II*\0", b"MM\0*"):
        return {"TIFF entry": tiff_entry}
    if content[:4] in (b"\x5c\1\0\0", b"\x1c\2\0\0"):
        return {"NIfTI field": nifti_field}
    if name.endswith((".mgh", ".mgz")):
        return {"MGH field": mgh_field}
    if name.endswith((".mha", ".mhd", ".nrrd", ".nhdr", ".csv", ".yaml")):
        return {"line of a header": text_line}
    if name.endswith(".npy"):
        return {"line of a header": text_line}
    if content[128:132] == b"DICM" or name in ("a", "IM0"):
        return {"DICOM elements": dicom_elements}
    return {}


def inside_gzip(name: str) -> Way:
    def way(content: bytes, rng: random.Random) -> bytes:
        inner = name.removesuffix(".gz").replace(".mgz", ".mgh")
        return gzip.compress(damaged(inner, gzip.decompress(content), rng)[1], mtime=0)

    return way


def inside_zip(content: bytes, rng: random.Random) -> bytes:
    try:
        entries = unzipped(content)
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from error
    name = rng.choice(sorted(entries))
    if rng.random() < 0.2:
        del entries[name]
    else:
        entries[name] = damaged(name, entries[name], rng)[1]
    return zipped(entries)


def png_chunk(content: bytes, rng: random.Random) -> bytes:
    """Chunks with odd content and the right check sum, in another order, gone or twice."""
    chunks, at = [], 8
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    place = rng.randrange(len(chunks))
    kind, data = chunks[place]
    way = rng.randrange(6)
    if way == 0:
        del chunks[place]
    elif way == 1:
        chunks.insert(rng.randrange(len(chunks)), chunks[place])
    elif way == 2:
        rng.shuffle(chunks)
    elif way == 3:
        chunks[place] = rng.choice([b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"IEND", b"eXIf"]), data
    elif kind == b"IDAT" and way == 4:
        raw = zlib.decompress(data)
        chunks[place] = kind, zlib.compress(BYTES[rng.choice(sorted(BYTES))](raw, rng))
    else:
        if not data:
            raise ValueError("nothing to damage")
        chunks[place] = kind, BYTES[rng.choice(sorted(BYTES))](data, rng)
    made = content[:8]
    for kind, data in chunks:
        made += struct.pack(">I", len(data)) + kind + data
        made += struct.pack(">I", zlib.crc32(kind + data))
    return made


def jpeg_segments(content: bytes, rng: random.Random) -> bytes:
    """Segments before the pixels in another order, gone, twice, or with an odd byte."""
    segments, at = [], 2
    while content[at + 1] != 0xDA:
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        segments.append(content[at : at + 2 + length])
        at += 2 + length
    place, way = rng.randrange(len(segments)), rng.randrange(5)
    if way == 0:
        del segments[place]
    elif way == 1:
        segments.insert(0, segments[place])
    elif way == 2:
        rng.shuffle(segments)
    else:
        one = bytearray(segments[place])
        one[rng.randrange(1, len(one))] = rng.choice([0, 1, 2, 3, 8, 255, rng.randrange(256)])
        segments[place] = bytes(one)
    return content[:2] + b"".join(segments) + content[at:]


def tiff_entry(content: bytes, rng: random.Random) -> bytes:
    """Entries of the first directory exchanged, gone, twice, or with another tag, type, value."""
    order = "<" if content[:2] == b"II" else ">"
    start = struct.unpack(f"{order}I", content[4:8])[0]
    count = struct.unpack(f"{order}H", content[start : start + 2])[0]
    body = start + 2
    entries = [content[body + 12 * n : body + 12 * n + 12] for n in range(count)]
    after = content[body + 12 * count : body + 12 * count + 4]
    place, other, way = rng.randrange(count), rng.randrange(count), rng.randrange(8)
    tag, kind, length, value = struct.unpack(f"{order}HHII", entries[place])
    if way == 0:  # the tags change places, and so their values
        theirs = entries[other]
        entries[place], entries[other] = (
            entries[place][:2] + theirs[2:],
            theirs[:2] + entries[place][2:],
        )
    elif way == 1:
        kind = rng.choice([0, 1, 2, 3, 4, 5, 6, 11, 12, 13, 16, 99])
    elif way == 2:
        length = rng.choice([0, 2, 3, 17, *ODD_LONGS])
    elif way == 3:
        tag = rng.choice([256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 284, 317, 320, 339])
    elif way == 4:
        after = struct.pack(f"{order}I", rng.choice([start, 8, len(content) + 9, 2**32 - 1]))
    elif way == 5:
        entries[place] = entries[other]
    else:
        value = rng.choice([*ODD_SHORTS, *ODD_LONGS])
    if way in (1, 2, 3, 6, 7):
        packed = struct.pack(f"{order}I", value)
        if kind == 3 and length == 1 and way > 5:
            packed = struct.pack(f"{order}HH", value & 0xFFFF, 0)
        entries[place] = struct.pack(f"{order}HHI", tag, kind, length) + packed
    return content[:body] + b"".join(entries) + after + content[body + 12 * count + 4 :]


# Where fields of NIfTI-1 lie, and how they are written: https://nifti.nimh.nih.gov
NIFTI_1 = (
    *((39, "B", 1), (40, "h", 8), (70, "h", 1), (72, "h", 1), (76, "f", 8), (108, "f", 1)),
    *((112, "f", 1), (116, "f", 1), (123, "B", 1), (252, "h", 1), (254, "h", 1), (256, "f", 6)),
    *((280, "f", 12), (344, "I", 1), (0, "I", 1), (68, "h", 1), (74, "h", 1)),
)
NIFTI_2 = (
    *((12, "h", 1), (14, "h", 1), (16, "q", 8), (104, "d", 8), (168, "q", 1), (176, "d", 1)),
    *((184, "d", 1), (344, "i", 1), (348, "i", 1), (400, "d", 12), (4, "Q", 1), (524, "B", 1)),
)
NIFTI_TYPES = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 1792, 2304, 9)
INTEGERS = (-(2**15), -1, 0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 255, 2**15 - 1)


def nifti_field(content: bytes, rng: random.Random) -> bytes:
    table = NIFTI_1 if content[:1] == b"\x5c" else NIFTI_2
    made = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        start, kind, count = rng.choice(table)
        at = start + rng.randrange(count) * struct.calcsize(kind)
        odd: tuple = INTEGERS
        if kind in "fd":
            odd = ODD_FLOATS
        elif kind in "IBQ":
            odd = (0, 1, 2, 3, 16, 32, 57, 255)
        elif start in (70, 12):
            odd = NIFTI_TYPES
        elif kind == "q":
            odd = (*INTEGERS, 2**31, 2**62, -(2**62))
        struct.pack_into(f"<{kind}", made, at, rng.choice(odd))
    return bytes(made)


def mgh_field(content: bytes, rng: random.Random) -> bytes:
    """Of https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat."""
    made = bytearray(content)
    for _ in range(rng.choice([1, 1, 2])):
        if rng.random() < 0.6:
            at = 4 * rng.randrange(7)
            odd = (-1, 0, 1, 2, 3, 4, 5, 10, 15, 16, 17, 65536, 2**31 - 1, -(2**31))
            struct.pack_into(">i", made, at, rng.choice(odd))
        elif rng.random() < 0.2:
            struct.pack_into(">h", made, 28, rng.choice((-1, 0, 2)))
        else:
            struct.pack_into(">f", made, 30 + 4 * rng.randrange(15), rng.choice(ODD_FLOATS))
    return bytes(made)


def text_line(content: bytes, rng: random.Random) -> bytes:
    """A line of the text at the beginning gone, twice, elsewhere, or with an odd word."""
    end = content.find(b"\n\n") if content[:4] == b"NRRD" else content.find(b"ElementDataFile")
    end = len(content) if end < 0 else content.find(b"\n", end)
    lines = content[:end].split(b"\n")
    place, way = rng.randrange(len(lines)), rng.randrange(6)
    if way == 0:
        del lines[place]
    elif way == 1:
        lines.insert(rng.randrange(len(lines) + 1), lines[place])
    elif way == 2:
        rng.shuffle(lines)
    else:
        words = lines[place].split(b" ")
        odd = rng.choice(ODD_TEXTS).encode()
        words[rng.randrange(len(words))] = rng.choice([odd, b"-3", b"(0,0,0)", b"NaN", b"2e9"])
        lines[place] = b" ".join(words)
    return b"\n".join(lines) + content[end:]


LONG_VRS = (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF", b"OD", b"OL", b"UC", b"UR")
VRS = (*LONG_VRS, b"US", b"SS", b"DS", b"IS", b"CS", b"LO", b"UI", b"FD", b"PN", b"AT", b"ZZ")


def dicom_elements(content: bytes, rng: random.Random) -> bytes:
    """An element exchanged with another, gone, twice, of another kind, length or value."""
    implicit = content[128:132] != b"DICM" or b"1.2.840.10008.1.2\0" in content[:400]
    order = ">" if b"1.2.840.10008.1.2.2\0" in content[:400] else "<"
    start = content.find(b"\0\x08\0\x16" if order == ">" else b"\x08\0\x16\0")
    if start < 0:
        raise ValueError("where the dataset begins is not known")
    if rng.random() < 0.15 and start > 132:  # the header of the file, always explicit and little
        start, implicit, order = 132, False, "<"
    elements, at = [], start
    while at + 8 <= len(content):
        tag, kind, long = content[at : at + 4], b"", True
        if not implicit:
            kind = content[at + 4 : at + 6]
            long = kind in LONG_VRS
        head = 8 if implicit or not long else 12
        form = "I" if long else "H"
        length = struct.unpack_from(f"{order}{form}", content, at + head - (4 if long else 2))[0]
        if length == 0xFFFFFFFF or at + head + length > len(content):
            break
        elements.append([tag, kind, content[at + head : at + head + length], None])
        at += head + length
    rest = content[at:]
    if len(elements) < 3:
        raise ValueError("too few elements")
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        change_element(elements, order, rng)
    made = content[:start]
    for tag, kind, value, said in elements:
        length = len(value) if said is None else said
        if implicit:
            head = tag + struct.pack(f"{order}I", length)
        elif kind in LONG_VRS:
            head = tag + kind + b"\0\0" + struct.pack(f"{order}I", length)
        else:
            head = tag + kind + struct.pack(f"{order}H", length & 0xFFFF)
        made += head + value
    return made + rest


def change_element(elements: list[list], order: str, rng: random.Random) -> None:
    place, other = rng.randrange(len(elements)), rng.randrange(len(elements))
    one = elements[place]
    way = rng.randrange(10)
    if way == 0:  # tags swapped
        one[0], elements[other][0] = elements[other][0], one[0]
    elif way == 1:  # values swapped
        one[2], elements[other][2] = elements[other][2], one[2]
    elif way == 2:
        elements[place], elements[other] = elements[other], one
    elif way == 3:
        del elements[place]
    elif way == 4:
        elements.insert(rng.randrange(len(elements)), list(one))
    elif way == 5 and one[1]:
        one[1] = rng.choice(VRS)
    elif way == 6:
        one[3] = rng.choice([0, 1, 3, 0xFFFE, 0xFFFFFFFF, len(one[2]) + 1, len(one[2]) + 8])
    elif len(one[2]) == 2 and way < 9:
        one[2] = struct.pack(f"{order}H", rng.choice(ODD_SHORTS))
    elif len(one[2]) > 200:
        one[2] = one[2][: rng.randrange(len(one[2]))]
    else:
        text = rng.choice(ODD_TEXTS).encode("latin-1")
        one[2] = text + b" " * (len(text) % 2)


SIGNATURES = re.compile(rb"GCOL|HEAP|TREE|SNOD|OHDR|FRHP|BTHD|\x89HDF")


def h5_structure(content: bytes, rng: random.Random) -> bytes:
    """Bytes beside a signature of HDF5's own structures."""
    places = [found.start() for found in SIGNATURES.finditer(content)]
    at = rng.choice(places) + rng.randrange(0, 96)
    made = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8])):
        one = min(at + rng.randrange(24), len(made) - 8)
        if rng.random() < 0.5:
            made[one] ^= 1 << rng.randrange(8)
        else:
            struct.pack_into("<I", made, one, rng.choice(ODD_LONGS))
    return bytes(made)


def h5_part(content: bytes, rng: random.Random) -> bytes:
    """A dataset or attribute of another kind, size or place, or gone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        path.write_bytes(content)
        with h5py.File(path, "r+") as file:
            change_part(file, rng)
        return path.read_bytes()


def change_part(file: h5py.File, rng: random.Random) -> None:
    group = file.get("dataset", file)
    if len(file.attrs) and rng.random() < 0.25:
        name = rng.choice(sorted(file.attrs))
        del file.attrs[name]
        file.attrs[name] = rng.choice([1, 0.5, "", "\x1b[m", np.nan, [1, 2], ["a"], b"\xff"])
        return
    name = rng.choice(sorted(group))
    values = group[name][...]
    del group[name]
    way = rng.randrange(10)
    if way == 0:
        return
    if way == 1:
        group[name] = h5py.ExternalLink("/etc/hostname.h5", "/x")
    elif way == 2:
        group[name] = h5py.SoftLink(rng.choice([f"/{name}", "/kspace", "/nowhere"]))
    elif way == 3:
        group.create_group(name)
    elif way == 4:
        group[name] = rng.choice([np.zeros(5), np.array(["x"] * 5, "S3"), np.zeros((0, 2)), 3])
    elif way == 5 and values.ndim > 1:
        group[name] = values[:-1] if len(values) > 1 else values[..., :-1]
    elif way == 6 and values.dtype.kind in "fc":
        values[tuple(rng.randrange(length) for length in values.shape)] = rng.choice(
            [np.nan, np.inf, 3e38]
        )
        group[name] = values
    elif way == 7 and values.dtype.kind in "fc":
        group[name] = values.astype(rng.choice(["f8", "f2", "i4", "c16"]))
    elif way == 8:
        group[name] = h5py.Empty("f4")
    elif values.ndim > 1:
        group[name] = np.swapaxes(values, 0, -1)
    else:
        group[name] = b"<a><b></a>"


HDF5: Mapping[str, Way] = {"HDF5 structure": h5_structure, "HDF5 part": h5_part}
