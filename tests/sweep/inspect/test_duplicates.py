import csv
import io
import json
from itertools import groupby

import numpy as np
import pytest
from PIL import Image

from sweep.ingest.formats.pixels import fit, read_grey
from sweep.inspect import duplicates
from sweep.inspect.duplicates import near_duplicates
from sweep.store import write_store
from tests.support.data import BRAIN, needs
from tests.support.pictures import SIZE, one_finding, store_of, texture

pytestmark = pytest.mark.slow


def jpeg(image):
    buffer = io.BytesIO()
    Image.fromarray(np.uint8(image / image.max() * 255)).save(buffer, "JPEG", quality=50)
    return np.asarray(Image.open(buffer)).astype(np.float32)


def rescaled(image):
    half = Image.fromarray(image).resize((len(image) // 2,) * 2, Image.Resampling.BICUBIC)
    return np.asarray(half.resize(image.shape[::-1], Image.Resampling.BICUBIC))


def noisy(image):
    real, imaginary = np.random.default_rng(0).normal(0, 0.02 * image.max(), (2, *image.shape))
    return np.hypot(image + real, imaginary).astype(np.float32)


COPIES = {
    "same": lambda image: image,
    "JPEG": jpeg,
    "8 bits": lambda image: np.round(image / image.max() * 255).astype(np.float32),
    "rescaled": rescaled,
    "other units": lambda image: image * np.float32(1e-6),
    "brighter": lambda image: np.float32(0.5) * image + 30,
    "gamma": lambda image: image ** np.float32(0.8),
    "clipped": lambda image: image.clip(0, np.quantile(image, 0.995)),
    "shifted": lambda image: np.roll(image, 1, 0),
    "noisy": noisy,
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_in_another_split_is_found_among_others(copy, tmp_path):
    images = [texture(seed) for seed in range(6)]
    store = store_of(tmp_path / "s.h5", [*images, copy(images[4])], ["b"] * 6 + ["a"])
    (pair,) = near_duplicates(store).pairs
    assert (pair.one.key, pair.other.key) == ("k6", "k4"), "the split first by name stands first"
    assert (pair.one.split, pair.other.split) == ("a", "b")
    assert (pair.one.patient, pair.other.patient) == ("p6", "p4")


def test_copies_within_a_split_do_no_harm(tmp_path):
    images = [texture(1), texture(1), texture(2)]
    assert near_duplicates(store_of(tmp_path / "s.h5", images, ["a", "a", "b"])).pairs == ()


def test_slices_of_one_value_are_not_copies_of_each_other(tmp_path):
    empty, flat = np.zeros((SIZE, SIZE), np.float32), np.full((SIZE, SIZE), 7, np.float32)
    found = near_duplicates(store_of(tmp_path / "s.h5", [empty, flat] * 2, ["a", "a", "b", "b"]))
    assert found.candidates == 0
    assert found.pairs == ()


def test_what_is_alike_in_its_coarse_structure_only_is_not_a_copy(tmp_path):
    """Two knees, say: the hashes agree, and the pixels decide."""

    def coarse(image):
        small = Image.fromarray(image).resize((10, 10), Image.Resampling.BOX)
        return np.asarray(small.resize(image.shape, Image.Resampling.BICUBIC))

    fine = [texture(seed) - coarse(texture(seed)) for seed in (2, 3)]
    images = [coarse(texture(1)) + np.float32(0.3) * one for one in fine]
    found = near_duplicates(store_of(tmp_path / "s.h5", images, ["a", "b"]))
    assert (found.candidates, found.compared, found.pairs) == (1, 1, ())


def test_the_most_alike_are_told_first_and_all_are_counted(tmp_path):
    images = [texture(seed) for seed in range(12)]
    copies = [noisy(image) for image in images]
    copies[7] = images[7]
    found = near_duplicates(store_of(tmp_path / "s.h5", images + copies, ["a"] * 12 + ["b"] * 12))
    assert len(found.pairs) == 12
    first, _, best, *rest = found.text().splitlines()
    assert "12 pairs, of 24 of 24 slices, 24 patients, splits a, b" in first
    assert best.split() == ["1.000", "a", "k7", "b", "k19"]
    assert len([line for line in rest if " k" in line]) == 9
    assert "  and 2 more" in rest
    assert "one person one patient name" in rest[-1]


def test_scripts_get_every_pair(tmp_path):
    images = [texture(seed) for seed in range(11)]
    store = store_of(tmp_path / "s.h5", images * 2, ["a"] * 11 + ["b"] * 11)
    answer = json.loads(json.dumps(near_duplicates(store).as_json()))
    assert len(answer["pairs"]) == 11
    assert answer["pairs"][0]["one"] == {"key": "k0", "patient": "p0", "split": "a"}
    assert answer["pairs"][0]["other"] == {"key": "k11", "patient": "p11", "split": "b"}


def test_what_was_not_compared_is_told(tmp_path, monkeypatch):
    store = store_of(tmp_path / "s.h5", [texture(1)] * 4, ["a", "a", "b", "b"])
    assert "were compared" not in near_duplicates(store).text()
    monkeypatch.setattr(duplicates, "COMPARED", 3)
    found = near_duplicates(store)
    assert len(found.pairs) == 3
    assert "Of 4 pairs with like hashes the 3 most alike were compared" in found.text()


@pytest.mark.parametrize("most", [3, 20_000])
def test_neither_the_order_of_the_slices_nor_the_type_of_pixels_matters(
    most, tmp_path, monkeypatch
):
    monkeypatch.setattr(duplicates, "COMPARED", most)
    monkeypatch.setattr(duplicates, "HELD", 4)  # few at a time, many times
    images = [texture(seed % 3) + np.float32(seed) for seed in range(12)]
    slices = [one_finding(f"k{n}", f"p{n}", "abc"[n % 4 % 3]) for n in range(12)]
    stores = [
        write_store(
            tmp_path / f"{n}.h5",
            [slices[row] for row in order],
            [images[row] for row in order],
            shape=images[0].shape,
            label_names=("lesion",),
            task="multilabel",
            source={},
            pixels=pixels,
        )
        for n, (order, pixels) in enumerate(
            [(range(12), "float32"), (range(11, -1, -1), "float32"), (range(12), "float16")]
        )
    ]
    whole, turned, half = (near_duplicates(store) for store in stores)
    assert len(whole.pairs) == min(most, 15)
    assert whole == turned
    assert {pair[1:] for pair in half.pairs} == {pair[1:] for pair in whole.pairs}


def test_none_is_told(tmp_path):
    found = near_duplicates(store_of(tmp_path / "s.h5", [texture(1), texture(2)], ["a", "b"]))
    assert found.text() == "near-duplicates across splits: none found"


@pytest.fixture(scope="module")
def heads():
    """One slice (256, 256) of each of 60 people."""
    manifest = (BRAIN / "manifest.csv").read_text().splitlines()
    rows = sorted(csv.DictReader(manifest), key=lambda row: (row["patient"], row["file"]))
    firsts = [next(of) for _, of in groupby(rows, key=lambda row: row["patient"])]
    files = [BRAIN / "images" / row["file"] for row in firsts[:60]]
    return [fit(read_grey(file, file.name), 256) for file in files]


@needs(BRAIN)
def test_heads_of_different_people_are_told_apart_and_copies_found(heads, tmp_path):
    copies = [jpeg(image) for image in heads]
    halves = store_of(tmp_path / "s.h5", heads + copies, ["a", "b"] * 30 + ["b", "a"] * 30)
    found = {frozenset((one.key, other.key)) for _, one, other in near_duplicates(halves).pairs}
    assert found == {frozenset((f"k{n}", f"k{n + 60}")) for n in range(60)}
