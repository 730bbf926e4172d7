"""A damaged draft is laid out again: to the same bytes, and what was put into it stays."""

import h5py
import numpy as np
import pytest

from sweep.store.fingerprint import fingerprint
from sweep.store.geometry import Frame, Geometry, Sampling
from sweep.store.layout import Form, create
from sweep.store.mending import lay_out_again
from sweep.store.slices import Slice
from sweep.store.writer import StoreWriter

FRAME = Frame(2, 8, 10)


def slices(count=5):
    sampling = Sampling(2, 8, 10, (0, 10))
    return [
        Slice(
            *(f"p{n}/k{n}", f"p{n}", "ab"[n % 2], frozenset({"x"}), "test"),
            geometry=Geometry((1, 2), sampling=sampling),
            columns={"site": "AB"[n % 2]},
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("frame", [None, FRAME])
def test_whatever_the_description_became_it_is_written_anew_around_the_slices(tmp_path, frame):
    form = Form((6, 4), ("x",), "multilabel", {"kind": "test"}, "float32", frame)
    draft, rng = tmp_path / "draft.h5", np.random.default_rng(3)
    create(draft, slices(), form)
    with StoreWriter.open(draft) as writer:
        kspace = rng.normal(size=(*FRAME, 2)).astype(np.float32).view(np.complex64)[..., 0]
        digests = [
            writer.write(row, rng.random((6, 4), np.float32), kspace if frame else None, "test")
            for row in range(5)
        ]
        writer.finish(fingerprint(slices(), form, digests))
    whole = draft.read_bytes()
    said = np.flatnonzero(~put_later(draft))
    for number in range(30):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[rng.choice(said, 2 ** (number % 10))] ^= rng.integers(1, 256, dtype=np.uint8)
        draft.write_bytes(damaged.tobytes() + b"more"[: number % 4])
        lay_out_again(draft, slices(), form)
        assert draft.read_bytes() == whole
    draft.write_bytes(whole[:100])  # the slices are lost, and their digests say so
    lay_out_again(draft, slices(), form)
    assert len(draft.read_bytes()) == len(whole)
    with StoreWriter.open(draft) as writer:
        assert not any(writer.measure(row) == digest for row, digest in enumerate(digests))
    assert [one.name for one in tmp_path.iterdir()] == ["draft.h5"]


def put_later(path):
    """Of each byte, whether a worker puts it."""
    found = np.zeros(path.stat().st_size, bool)
    with h5py.File(path) as file:
        for name in ("images", "scale", "value_range", "perceptual_hash", "digest", "fingerprint"):
            start = file[name].id.get_offset()
            found[start : start + file[name].nbytes] = True
        if "kspace" in file:
            chunks = [file["kspace"].id.get_chunk_info(n) for n in range(len(file["kspace"]))]
            for one in chunks:
                found[one.byte_offset : one.byte_offset + one.size] = True
    return found
