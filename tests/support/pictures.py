"""Stores of textures: slices that have structure at every scale, and no two the same."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sweep.store import Store, write_store
from sweep.store.fingerprint import fingerprint
from sweep.store.geometry import Frame, Geometry, Sampling
from sweep.store.layout import Form, create
from sweep.store.slices import Slice
from sweep.store.writer import StoreWriter

SIZE = 128


def texture(seed: int, size: int = SIZE) -> np.ndarray:
    """A random field of a falling spectrum in a soft round body, 0 to about 200."""
    noise = np.random.default_rng(seed).normal(size=(size, size))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.rfftfreq(size), indexing="ij"))
    field = np.fft.irfft2(np.fft.rfft2(noise) / (frequency + 1 / size) ** 1.2, noise.shape)
    rows, columns = np.mgrid[:size, :size] / size - 0.5
    body = 1 / (1 + np.exp((np.hypot(rows, columns) - 0.4) * 40))
    return (body * (100 + 40 * field / field.std())).clip(0).astype(np.float32)


def one_finding(key: str, patient: str, split: str, **more) -> Slice:
    return Slice(key, patient, split, frozenset({"lesion"}), "test", **more)


def store_of(path: Path, images: Sequence[np.ndarray], splits: Sequence[str]) -> Store:
    """A store of these images, every slice of its own patient."""
    slices = [one_finding(f"k{n}", f"p{n}", split) for n, split in enumerate(splits)]
    return write_store(
        path,
        slices,
        images,
        shape=images[0].shape,
        label_names=("lesion", "tear"),
        task="multilabel",
        source={"kind": "test"},
    )


def store_with_kspace(path: Path) -> Store:
    """Three slices (8, 6) in float16 with k-space of 1 and 2 coils in a frame of 2 x 8 x 10."""
    generator = np.random.default_rng(2)
    sampled = [(1, 8, 6), (2, 8, 9), (1, 8, 6)]
    slices = [
        one_finding(
            *(f"k{n}", f"p{n}", "ab"[n // 2]),
            sequence="PD" if n else "",
            geometry=Geometry(
                pixel_mm=(0.5, 0.25) if n else None, sampling=Sampling(*sizes, (0, sizes[2]))
            ),
        )
        for n, sizes in enumerate(sampled)
    ]
    form = Form((8, 6), ("lesion",), "multilabel", {}, "float16", Frame(2, 8, 10))
    create(path, slices, form)
    with StoreWriter.open(path) as draft:
        digests = [
            draft.write(
                row,
                generator.random((8, 6), dtype=np.float32) * 10**row,
                generator.normal(size=(*sizes, 2)).astype(np.float32).view(np.complex64)[..., 0],
                "test",
            )
            for row, sizes in enumerate(sampled)
        ]
        draft.finish(fingerprint(slices, form, digests))
    return Store.open(path)
