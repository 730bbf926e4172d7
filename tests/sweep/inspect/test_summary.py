import json
from dataclasses import replace

import numpy as np
import pytest

from sweep.inspect.counts import Intensities, SplitSummary
from sweep.inspect.summary import summarize
from sweep.store.geometry import Geometry
from tests.support.pictures import store_with_kspace


def test_counts_are_by_split(content, tmp_path):
    summary = summarize(content.write(tmp_path / "s.h5"))
    assert summary.splits == (
        SplitSummary("2", 1, 2, (1, 2), patients_showing=(1, 1), slices_of_patient=(2, 2, 2)),
        SplitSummary("train", 2, 3, (1, 0), patients_showing=(1, 0), slices_of_patient=(1, 1.5, 2)),
    )
    assert summary.total == SplitSummary("all", 3, 5, (2, 2), (2, 1), (1, 2, 2))
    assert summary.shape == (4, 6)


def test_counts_pass_the_range_of_the_labels_type(content, tmp_path):
    one = content.slices[0]
    many = replace(
        content,
        slices=tuple(replace(one, key=f"ann/{number}") for number in range(300)),
        images=content.images[:1] * 300,
    )
    assert summarize(many.write(tmp_path / "s.h5")).total.labels == (300, 0)


def test_the_table_shows_every_count_in_columns(content, tmp_path):
    store = content.write(tmp_path / "s.h5")
    title, head, *rows, last = summarize(store).text().splitlines()
    assert title == f"{store.path}: multilabel, 4 x 6"
    assert head.split() == ["split", "patients", "slices", "tear", "cyst"]
    assert [row.split() for row in rows] == [
        ["2", "1", "2", "1", "2"],
        ["train", "2", "3", "1", "0"],
        ["all", "3", "5", "2", "2"],
    ]
    assert len({len(row) for row in (head, *rows)}) == 1
    assert store.fingerprint in last


def test_intensities_are_those_of_the_pixels(content, tmp_path):
    images = [np.float32(10**place) * image - 1 for place, image in enumerate(content.images)]
    store = replace(content, images=tuple(images)).write(tmp_path / "s.h5")
    for found in summarize(store).intensities:
        pixels = store.read(store.indices([found.split]))
        assert found == Intensities(
            found.split,
            least=float(pixels.min()),
            greatest=float(pixels.max()),
            typical=float(np.median(pixels.max(axis=(1, 2)))),
        )


def test_sequences_and_pixel_sizes_are_counted_with_the_unknown_ones(content, tmp_path):
    for place in (0, 2, 3):
        content = content.with_slice(
            place, sequence="PD", geometry=Geometry(pixel_mm=(0.1 + 0.2, 0.5))
        )
    summary = summarize(content.write(tmp_path / "s.h5"))
    assert summary.sequences == (("PD", 3), ("", 2))
    assert summary.pixel_mm == (((0.3, 0.5), 3), (None, 2)), "told apart at 0.0001 mm"
    details = summary.details()
    assert "PD (3 slices), unknown (2 slices)" in details
    assert "0.3 x 0.5 mm (3 slices), unknown (2 slices)" in details


def test_sizes_of_before_a_resize_are_said_where_they_are_known_and_others(content, tmp_path):
    for place, native in ((0, (8, 12)), (2, (8, 12)), (3, (4, 6))):
        content = content.with_slice(place, geometry=Geometry(native=native))
    summary = summarize(content.write(tmp_path / "s.h5"))
    assert summary.native == (((8, 12), 2), (None, 2), ((4, 6), 1))
    assert "resized     from 8 x 12 (2 slices)\n" in summary.details()
    assert summary.as_json()["native"][1] == {"size": None, "slices": 2}


def test_nothing_is_said_of_a_resize_where_there_was_none(content, tmp_path):
    summary = summarize(content.write(tmp_path / "s.h5"))
    assert summary.native == ((None, 5),)
    assert "resized" not in summary.details()


def test_kspace_is_counted_by_its_own_sizes(tmp_path):
    summary = summarize(store_with_kspace(tmp_path / "s.h5"))
    assert summary.kspace.frame == (2, 8, 10)
    assert summary.kspace.sizes == (((1, 8, 6), 2), ((2, 8, 9), 1))
    assert summary.pixels == "float16"
    assert summary.file_bytes == (tmp_path / "s.h5").stat().st_size
    assert "1 x 8 x 6 (2 slices), 2 x 8 x 9 (1 slice); zero-filled to 2 x 8 x 10" in (
        summary.details()
    )


def test_the_source_is_laid_out_and_long_lists_are_cut(content, tmp_path):
    source = {
        "kind": "test",
        "splits": {"seed": 3, "shares": {"a": 0.5}},
        "size": None,
        "skipped": [{"name": f"f{place}", "reason": "broken"} for place in range(12)],
        "paths": [],
    }
    lines = summarize(replace(content, source=source).write(tmp_path / "s.h5")).details()
    for line in ("  kind: test", "    seed: 3", "      a: 0.5", "  size: none", "  paths: none"):
        assert line in lines.splitlines()
    assert "  skipped: 12\n    f0: broken\n" in lines
    assert "    f9: broken\n    and 2 more" in lines


@pytest.mark.parametrize("kspace", [True, False])
def test_scripts_get_the_same(content, tmp_path, kspace):
    path = tmp_path / "s.h5"
    store = store_with_kspace(path) if kspace else content.write(path)
    summary = summarize(store)
    answer = json.loads(json.dumps(summary.as_json(), allow_nan=False))
    assert answer["fingerprint"] == store.fingerprint
    assert answer["total"]["slices"] == len(store)
    assert [one["split"] for one in answer["splits"]] == list(store.split_counts())
    assert answer["intensities"][0]["greatest"] == summary.intensities[0].greatest
    assert (answer["kspace"] is not None) == kspace
    if kspace:
        assert answer["kspace"]["frame"] == {"coils": 2, "rows": 8, "columns": 10}
        assert answer["sequences"] == [{"name": "PD", "slices": 2}, {"name": None, "slices": 1}]
        assert answer["pixel_mm"] == [
            {"size": [0.5, 0.25], "slices": 2},
            {"size": None, "slices": 1},
        ]


def test_columns_are_counted_by_slices_and_patients(content, tmp_path):
    for place in (0, 1, 2):
        content = content.with_slice(place, columns={"site": "A"})
    summary = summarize(content.with_slice(4, columns={"site": "B"}).write(tmp_path / "s.h5"))
    assert summary.columns == {"site": (("A", 3, 2), ("", 1, 1), ("B", 1, 1))}
    rows = [line.split() for line in summary.details().splitlines()]
    for row in (["column", "value", "patients", "slices"], ["site", "A", "2", "3"]):
        assert row in rows
    assert ["site", "unknown", "1", "1"] in rows
    assert json.loads(json.dumps(summary.as_json()))["columns"]["site"][1] == {
        "value": None,
        "slices": 1,
        "patients": 1,
    }


def test_of_a_column_with_many_values_ten_are_shown(content, tmp_path):
    one = content.slices[0]
    slices = [replace(one, key=f"ann/{n}", columns={"device": f"d{n}"}) for n in range(12)]
    many = replace(content, slices=tuple(slices), images=content.images[:1] * 12)
    details = summarize(many.write(tmp_path / "s.h5")).details()
    assert ["device", "2", "more", "2"] in [line.split() for line in details.splitlines()]
    assert " d10 " not in details


def test_nothing_is_said_of_columns_where_there_are_none(content, tmp_path):
    summary = summarize(content.write(tmp_path / "s.h5"))
    assert summary.columns == {}
    assert not any(line.startswith("column ") for line in summary.details().splitlines())
