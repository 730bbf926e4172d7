import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sweep.core.errors import UnusableError, UserError
from sweep.store import Store
from sweep.store.fingerprint import fingerprint
from sweep.store.layout import Form, create
from sweep.store.slices import Slice
from sweep.store.writer import StoreWriter, half_scale
from tests.support.data import ROOT

COUNT, SHAPE = 6, (5, 7)
SLICES = [
    Slice(f"k{row}", f"p{row}", "ab"[row % 2], frozenset({"lesion"}), f"file {row}")
    for row in range(COUNT)
]


def form_of(pixels):
    return Form(SHAPE, ("lesion",), "multilabel", {}, pixels)


def image_of(row):
    return np.random.default_rng(row).random(SHAPE, dtype=np.float32) * np.float32(10) ** row


def drafted(path, pixels="float32", rows=range(COUNT)):
    """A finished store whose slices were written in this order."""
    create(path, SLICES, form_of(pixels))
    with StoreWriter.open(path) as draft:
        digests = {row: draft.write(row, image_of(row), None, f"file {row}") for row in rows}
        draft.finish(fingerprint(SLICES, form_of(pixels), [digests[row] for row in range(COUNT)]))
    return path


@pytest.mark.parametrize("magnitude", [1e-20, 1e-4, 1.0, 1e5, 1e9])
def test_float16_keeps_eleven_bits_of_any_unit(magnitude, tmp_path):
    """Scaled, the peak is 2^14 at least, and a pixel of 2^-28 of it float16's least normal one."""
    image = np.geomspace(2.0**-28, 1, np.prod(SHAPE)).astype(np.float32).reshape(SHAPE)
    image *= np.float32(magnitude)
    image[::2] *= -1
    create(tmp_path / "s.h5", SLICES[:1], form_of("float16"))
    with StoreWriter.open(tmp_path / "s.h5") as draft:
        digest = draft.write(0, image, None, "file")
        draft.finish(fingerprint(SLICES[:1], form_of("float16"), [digest]))
    store = Store.open(tmp_path / "s.h5")
    assert store.images.dtype == np.float16
    error = np.abs(store.read([0])[0].astype(float) - image) / np.abs(image.astype(float))
    assert error.max() <= 2.0**-11
    assert np.frexp(store.scale[0])[0] == 0.5, "a power of two"


@pytest.mark.parametrize("peak", [1e-20, 0.999, 1.0, 65504.0, 1e9])
def test_a_scaled_peak_is_near_the_top_of_float16(peak):
    scale = half_scale(np.array([[0, -peak / 3, peak]], np.float32))
    assert 2**14 <= np.float32(peak) / scale < 2**15


def test_an_empty_slice_stays_empty_in_float16(tmp_path):
    create(tmp_path / "s.h5", SLICES[:1], form_of("float16"))
    with StoreWriter.open(tmp_path / "s.h5") as draft:
        draft.finish(draft.write(0, np.zeros(SHAPE, np.float32), None, "file").hex())
    assert not Store.open(tmp_path / "s.h5").read([0]).any()


@pytest.mark.parametrize("pixels", ["float32", "float16"])
def test_slices_in_any_order_make_the_same_file(pixels, tmp_path):
    one = drafted(tmp_path / "a.h5", pixels)
    other = drafted(tmp_path / "b.h5", pixels, [3, 0, 5, 1, 4, 2, 3])
    assert one.read_bytes() == other.read_bytes()


WRITER = """
import os, signal, sys
from pathlib import Path
from sweep.store.writer import StoreWriter
from tests.sweep.store.test_writer import image_of
path, end, *rows = sys.argv[1:]
with StoreWriter.open(Path(path)) as draft:
    for row in map(int, rows):
        draft.write(row, image_of(row), None, "file")
    if end == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
"""


def start_writer(path, end, *rows):
    arguments = [str(path), end, *map(str, rows)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", WRITER, *arguments], env=environment)


def finish(path, rows):
    with StoreWriter.open(path) as draft:
        for row in rows:
            draft.write(row, image_of(row), None, "file")
        digests = [draft.measure(row) for row in range(COUNT)]
        draft.finish(fingerprint(SLICES, form_of("float32"), digests))


def test_two_processes_make_the_same_file_as_one(tmp_path):
    path = tmp_path / "s.h5"
    create(path, SLICES, form_of("float32"))
    writers = [start_writer(path, "well", 4, 0, 2), start_writer(path, "well", 1, 5, 3)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    finish(path, [])
    assert path.read_bytes() == drafted(tmp_path / "alone.h5").read_bytes()


def test_what_a_killed_writer_leaves_is_no_store_and_can_be_finished(tmp_path):
    path = tmp_path / "s.h5"
    create(path, SLICES, form_of("float32"))
    assert start_writer(path, "killed", 1, 4).wait(60) == -signal.SIGKILL
    with pytest.raises(
        UserError, match=r"has no fingerprint, .*; received .*s\.h5; run the same .*ingest.* again"
    ):
        Store.open(path)
    finish(path, [0, 2, 3, 5])
    assert path.read_bytes() == drafted(tmp_path / "alone.h5").read_bytes()


def test_what_is_measured_is_what_is_stored(tmp_path):
    store = Store.open(drafted(tmp_path / "s.h5", "float16"))
    for row, image in enumerate(store.read(range(COUNT))):
        assert store.columns["value_range"][row].tolist() == [image.min(), image.max()]
        digest = hashlib.sha256(store.scale[row].tobytes() + store.images[row].tobytes())
        assert store.columns["digest"][row].tobytes() == digest.digest()


@pytest.mark.parametrize("pixels", ["float32", "float16"])
def test_a_slice_is_copied_as_it_is_stored(pixels, tmp_path):
    create(tmp_path / "copy.h5", SLICES[:1], form_of(pixels))
    with (
        StoreWriter.open(drafted(tmp_path / "s.h5", pixels)) as source,
        StoreWriter.open(tmp_path / "copy.h5") as draft,
    ):
        draft.finish(draft.copy(0, source, 4).hex())
    store, copy = Store.open(tmp_path / "s.h5"), Store.open(tmp_path / "copy.h5")
    for name in ("images", "scale", "value_range", "perceptual_hash", "digest"):
        np.testing.assert_array_equal(copy.columns[name][0], store.columns[name][4])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_and_its_file_named(value, tmp_path):
    create(tmp_path / "s.h5", SLICES, form_of("float32"))
    before = (tmp_path / "s.h5").read_bytes()
    image = image_of(0)
    image[2, 3] = value
    with (
        StoreWriter.open(tmp_path / "s.h5") as draft,
        pytest.raises(
            UnusableError, match="not finite numbers; received file 0, which has NaN or infinity; "
        ),
    ):
        draft.write(0, image, None, "file 0")
    assert (tmp_path / "s.h5").read_bytes() == before


def test_sizes_that_do_not_fit_are_refused(tmp_path):
    create(tmp_path / "s.h5", SLICES, form_of("float32"))
    with StoreWriter.open(tmp_path / "s.h5") as draft:
        with pytest.raises(ValueError, match=r"is not \(5, 7\).*received \(7, 5\).*at file 3"):
            draft.write(0, image_of(0).T, None, "file 3")
        with pytest.raises(ValueError, match=r"None; received \(5, 7\) with \(1, 5, 7\)"):
            draft.write(0, image_of(0), np.zeros((1, 5, 7), np.complex64), "file")


def resident(path):
    """Bytes of a file that this process has in memory through its maps."""
    found, ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, *rest = line.split()
        if "-" in name and not name.endswith(":"):
            ours = line.endswith(str(path))
        elif ours and name == "Rss:":
            found += 1024 * int(rest[0])
    return found


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the system does not say")
def test_opening_a_large_store_reads_no_pixels(tmp_path):
    """12 GB that are a hole in the file: only pages that are read are in memory."""
    path = tmp_path / "large.h5"
    slices = [Slice(f"k{n}", f"p{n}", str(n % 2), frozenset(), "") for n in range(300)]
    create(path, slices, Form((3200, 3200), ("lesion",), "multilabel", {}))
    with StoreWriter.open(path) as draft:
        draft.finish("0" * 64)
    assert path.stat().st_size > 12e9
    if path.stat().st_blocks * 512 > 1e9:
        pytest.skip("this file system has no holes")
    store = Store.open(path)
    assert len(store) == len(store.keys) == sum(store.split_counts().values()) == 300
    assert resident(path) < 4e6, "less than a tenth of a slice"
    assert not store.read([299]).any()
    assert 3200**2 * 4 <= resident(path) < 2 * 3200**2 * 4, "one slice, and what was read ahead"
