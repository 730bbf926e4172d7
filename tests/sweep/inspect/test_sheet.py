import numpy as np
import pytest
from PIL import Image, ImageFont

from sweep.core.errors import UserError
from sweep.inspect import sheet
from sweep.inspect.layout import BLACK, Cells, Panel, panel_strip, shortened
from sweep.inspect.sheet import draw_sheet
from tests.support.pictures import store_of, texture


@pytest.fixture
def written(monkeypatch):
    """The lines of text that are drawn."""
    lines = []
    draw = sheet.text_strip

    def text_strip(text, *options, **named):
        lines.append(text)
        return draw(text, *options, **named)

    monkeypatch.setattr(sheet, "text_strip", text_strip)
    return lines


def splits_of(folder, number):
    images = [texture(seed, 32) for seed in range(number)]
    return store_of(folder / "s.h5", images, [f"s{place:02}" for place in range(number)])


def drawn(store, path, **options):
    draw_sheet(store, path, **options)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture)


def test_the_same_store_and_seed_give_the_same_picture(content, tmp_path):
    store = content.write(tmp_path / "s.h5")
    one = drawn(store, tmp_path / "a.png", per_split=2, seed=1)
    other = drawn(store, tmp_path / "b.PNG", per_split=2, seed=1)
    np.testing.assert_array_equal(one, other)
    assert one.shape[1] == 1600


def test_the_title_says_what_is_seen(content, tmp_path, written):
    store = content.write(tmp_path / "s.h5")
    drawn(store, tmp_path / "a.png", seed=3)
    assert written[0] == "s.h5: 5 slices, 4 x 6"
    assert store.fingerprint[:12] in written[1]
    assert "drawn by seed 3, each in grey from 0 to its own 99.5th percentile" in written[1]
    assert "split 2: 2 slices of 1 patient" in written
    assert "split train: 3 slices of 2 patients" in written


def test_more_than_ten_splits_are_named_but_not_drawn(tmp_path, written):
    drawn(splits_of(tmp_path, 13), tmp_path / "a.png")
    assert len([line for line in written if line.startswith("split ")]) == 10
    assert "3 more splits are not shown: s10, s11, s12" in written


def test_a_picture_is_replaced(tmp_path):
    (tmp_path / "a.png").write_text("an older one")
    store = splits_of(tmp_path, 1)
    drawn(store, tmp_path / "a.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "s.h5"]


@pytest.mark.parametrize(
    ("name", "per_split", "message"),
    [
        ("a.jpg", 8, r"does not name a PNG file; received '.*a\.jpg'.*end in \.png"),
        ("a.png", 0, "--per-split is out of range; received 0; give 1 to 64 slices of a split"),
        ("a.png", 65, "--per-split is out of range; received 65; give 1 to 64 slices of a split"),
    ],
)
def test_a_sheet_that_cannot_be_is_refused(name, per_split, message, tmp_path):
    store = splits_of(tmp_path, 1)
    with pytest.raises(UserError, match=message):
        draw_sheet(store, tmp_path / name, per_split=per_split)
    assert [path.name for path in tmp_path.iterdir()] == ["s.h5"]


@pytest.mark.parametrize("shape", [(64, 64), (640, 320), (20, 640), (1, 1)])
def test_a_panel_fills_its_column_and_no_more(shape):
    panels = [Panel(np.full(shape, 200, np.uint8), ("key", "label"))] * 8
    strip = np.asarray(panel_strip(panels, Cells.filling(8, shape)))
    lit = np.flatnonzero(strip[0] > BLACK)
    assert lit[-1] < 1600
    cell = (1600 - 2 * 16 + 12) // 8 - 12
    assert len(lit) == pytest.approx(8 * cell * shape[1] / max(shape), abs=8)
    columns = np.flatnonzero(np.diff(lit) > 1)
    assert len(columns) == 7, "the panels do not touch"


@pytest.mark.parametrize(
    "text", ["", "k", "patient-17/slice-4.png", "ab-cd-ef" * 200, "a\nb\tc", "ж中"]
)
@pytest.mark.parametrize("width", [40, 190])
def test_a_caption_fits_and_keeps_both_its_ends(text, width):
    font = ImageFont.load_default(14)
    short = shortened(text, width, font)
    assert font.getlength(short) <= width
    line = " ".join(text.split())
    if short != line:
        head, tail = short.split("...")
        assert line.startswith(head)
        assert line.endswith(tail)
        assert len(head) - len(tail) in (-1, 0), "as much of one end as of the other"
