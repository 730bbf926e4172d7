"""`mrisweep preview`: every panel is the slice itself, and says what it is."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, ImageDraw

import artifacts_sim
from artifacts_sim import Names
from artifacts_sim.calibration.ssim import foreground, mean_ssim
from sweep.cli import main
from sweep.inspect.panels import find_slice, row_of
from sweep.inspect.preview import preview_store, strips
from sweep.learn.inputs import names_of
from sweep.store import Store, write_store
from sweep.store.slices import Slice


def written(store: Store, out: Path, *more: str) -> list[str]:
    return ["preview", str(store.path), "--out", str(out), *more]


def grey(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L")).astype(int)


def contains(sheet: np.ndarray, panel: np.ndarray) -> bool:
    """Whether a picture stands somewhere on the sheet; greys may differ by the rounding."""
    windows = sliding_window_view(sheet, panel.shape[1], axis=1)
    starts = np.argwhere((np.abs(windows - panel[0]) <= 1).all(axis=2))
    return any(
        found.shape == panel.shape and (np.abs(found - panel) <= 1).all()
        for found in (
            sheet[y : y + panel.shape[0], x : x + panel.shape[1]] for y, x in starts.tolist()
        )
    )


def test_panels_are_the_slice_pixel_for_pixel_in_the_window_of_the_clean_one(
    store: Store, tmp_path: Path
) -> None:
    out = tmp_path / "sheet.png"
    key = "p3/s2"
    assert main(written(store, out, "--slice", key, "--artifacts", "bias", "--levels", "1")) == 0
    drawn = grey(out)
    row = store.keys.tolist().index(key)
    clean = store.images[row]
    white = np.quantile(clean, 0.995)
    for panel in row_of(
        "bias", np.array(clean), names_of(store, [row], True), [1], "calibrated", 0
    ).panels:
        shown = np.floor(np.clip(panel.image / white, 0, 1) * 255.999)
        assert contains(drawn, shown.repeat(9, axis=0).repeat(9, axis=1))


def test_a_panel_says_its_knob_and_its_ssim(store: Store) -> None:
    clean = torch.from_numpy(np.array(store.images[5]))[None]
    art = artifacts_sim.get("motion")
    params = art.sample(level=2, keys=["k"], seed=4, grid="physical")
    y = art.apply(clean, params)
    panel = row_of("motion", clean[0].numpy(), Names(["k"]), [2], "physical", 4).panels[1]
    assert panel.value.startswith(f"{params.knob:.3g}")
    assert panel.ssim == f"SSIM {float(mean_ssim(clean, y, foreground(clean))):.2f}"
    np.testing.assert_array_equal(panel.image, y[0])


def test_a_level_out_of_reach_has_an_empty_panel_that_says_so(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = tmp_path / "levels.json"
    artifacts = {"rician": {"values": [0.02, 0.04, 0.06, None, None]}}
    record = {"format": "mrisweep-levels", "version": 1, "artifacts": artifacts}
    grid.write_text(json.dumps(record))
    row = row_of("rician", np.array(store.images[0]), Names(["k"]), [1, 3, 4, 5], str(grid), 0)
    assert [panel.image is None for panel in row.panels] == [False, False, False, True, True]
    words: list[str] = []
    draw = ImageDraw.ImageDraw.text

    def text(self: ImageDraw.ImageDraw, at: tuple[int, int], word: str, *more: object) -> None:
        words.append(word)
        draw(self, at, word, *more)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    list(strips([row], ["clean", "level 1", "level 3", "level 4", "level 5"], "title", 1.0))
    assert words.count("not reached") == 2
    assert {"title", "clean", "level 5", "rician"} <= set(words)


def test_the_slice_is_drawn_by_the_seed_and_named(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = []
    for seed in ("0", "0", "1"):
        out = tmp_path / "sheet.png"
        assert (
            main(written(store, out, "--artifacts", "bias", "--levels", "3", "--seed", seed)) == 0
        )
        printed = capsys.readouterr().out
        keys += [key for key in store.keys.tolist() if repr(key) in printed]
    assert keys[0] == keys[1] != keys[2]


def test_no_empty_slice_is_drawn_and_none_is_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [f"p{number}" for number in range(20)]
    slices = [Slice(key, key, "1", frozenset("a"), "test") for key in keys]
    images = [np.full((6, 6), float(key == "p7"), np.float32) for key in keys]
    store = write_store(
        tmp_path / "s.h5",
        slices,
        images,
        shape=(6, 6),
        label_names=("a",),
        task="multiclass",
        source={},
    )
    assert {find_slice(store, None, seed) for seed in range(10)} == {7}
    assert main(written(store, tmp_path / "sheet.png", "--slice", "p3")) == 2
    assert "is empty; received 'p3'" in capsys.readouterr().err


def test_a_sheet_is_replaced_whole(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    out.write_text("old")
    preview_store(store.path, out, artifacts=["bias"], levels=[1])
    assert out.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [out]


def test_every_artifact_has_a_row_by_default(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    heights = []
    for artifacts in (["bias"], ["bias", "spike"], ["holdout", "search"], None):
        preview_store(store.path, out, artifacts=artifacts, levels=[1])
        heights.append(grey(out).shape[0])
    one, two, families, every = heights
    assert every == families == one + (len(artifacts_sim.names()) - 1) * (two - one)


def test_it_says_what_the_levels_mean_and_where(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = ("--artifacts", "bias", "--levels", "1")
    assert main(written(store, tmp_path / "sheet.png", *one)) == 0
    said = capsys.readouterr().err
    assert "calibrated levels: mean SSIM over the foreground of 0.95, 0.9, 0.8, 0.7, 0.6" in said
    assert "are for images of 256 x 256 pixels, and these are images of 24 x 24" in said
    assert main(written(store, tmp_path / "sheet.png", *one, "--grid", "physical")) == 0
    assert "round values of each artifact's own scale" in capsys.readouterr().err


def test_levels_of_a_file_are_drawn_with_the_options_that_they_were_found_with(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    levels, sheets = tmp_path / "levels.json", [tmp_path / "a.png", tmp_path / "b.png"]
    asked = ("--artifacts", "spike-two", "--options", "spike-two.two_sided=true")
    small = ("--split", "1", "2", "--slices", "4", "--held-out", "2")
    assert main(["calibrate", str(store.path), *small, *asked, "--out", str(levels)]) == 0
    grid = ("--grid", str(levels), "--levels", "1")
    assert main(written(store, sheets[0], *grid)) == 0
    assert main(written(store, sheets[1], *grid, *asked)) == 0
    assert sheets[0].read_bytes() == sheets[1].read_bytes()
    capsys.readouterr()
    other = ("--artifacts", "spike", "--options", "spike.spikes=3")
    assert main(written(store, sheets[1], *grid, *other)) == 2
    assert "levels of spike were found with other options" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--slice", "p0/s99"], "received 'p0/s99'; give one like 'p0/s0'"),
        (["--artifacts", "bais"], "did you mean 'bias'?"),
        (["--artifacts", "serch"], "--artifacts has an unknown name; received 'serch'"),
        (["--levels", "6"], "--levels has an unknown name; received '6'"),
        (["--out", "sheet.jpg"], "let it end in .png"),
    ],
    ids=["slice", "artifact", "family", "level", "suffix"],
)
def test_bad_input_is_explained(
    store: Store, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["preview", str(store.path), *arguments]) == 2
    assert message in capsys.readouterr().err
