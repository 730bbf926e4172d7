"""Each preset on a tiny tree of its layout, by the command, compared with what the tree says."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from openpyxl import Workbook

from sweep.ingest.presets import reading
from sweep.ingest.presets.reading import load_preset, preset_names
from sweep.store import Store
from tests.support.commands import Answer, ask
from tests.support.layouts import LAYOUTS, Laid


def ingested(name: str, root: Path, out: Path, laid: Laid, *more: object) -> Answer:
    options = [*laid.options, "--workers", "1", *more]
    return ask("ingest", "preset", name, root, "--out", out, *options)


def slices_of(store: Store) -> dict[tuple[str, int], frozenset[str]]:
    """By patient and place; places in the second scan of a patient count from 100."""
    scans: dict[str, list[str]] = {}
    found = {}
    for row, (patient, scan) in enumerate(
        zip(store.column("patient"), store.column("scan"), strict=True)
    ):
        of_patient = scans.setdefault(patient, [])
        if scan not in of_patient:
            of_patient.append(scan)
        number = int(store.numbers[row])
        place = number if number >= 0 else 0
        apart = 100 if number >= 0 else 1
        shown = np.flatnonzero(store.labels[row])
        labels = frozenset(store.label_names[one] for one in shown)
        found[patient, place + apart * of_patient.index(scan)] = labels
    return found


def test_every_preset_has_a_tree_and_every_tree_a_preset() -> None:
    assert set(LAYOUTS) == set(preset_names())


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_tree_of_the_layout_is_taken_as_it_says(name: str, tmp_path: Path) -> None:
    laid = LAYOUTS[name](tmp_path / "data")
    answer = ingested(name, tmp_path / "data", tmp_path / "a.h5", laid)
    assert answer.status == 0, answer.err
    store = Store.open(tmp_path / "a.h5")
    assert slices_of(store) == laid.slices
    if laid.splits:
        pairs = zip(store.column("patient"), store.column("split"), strict=True)
        assert dict(pairs) == laid.splits
    for column, values in laid.columns.items():
        assert set(store.column(column)) == values
    preset = load_preset(name)
    kept = store.source["preset"]
    assert (kept["name"], kept["version"]) == (name, preset.version)
    assert (kept["source"], kept["licence"]) == (preset.source, preset.licence)
    shown = ask("data", "show", tmp_path / "a.h5")
    assert preset.source in shown.out
    assert preset.licence in shown.out
    for note in preset.notes:
        assert note in answer.err


@pytest.mark.parametrize("name", LAYOUTS)
def test_other_files_and_other_workers_change_nothing(name: str, tmp_path: Path) -> None:
    laid = LAYOUTS[name](tmp_path / "data")
    assert ingested(name, tmp_path / "data", tmp_path / "a.h5", laid).status == 0
    for junk in ("Thumbs.db", ".DS_Store", "__MACOSX/._a.npy", "notes.txt", "zz/readme.md"):
        path = tmp_path / "data" / junk
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"junk")
    answer = ingested(name, tmp_path / "data", tmp_path / "b.h5", laid, "--workers", "2")
    assert answer.status == 0, answer.err
    one, other = Store.open(tmp_path / "a.h5"), Store.open(tmp_path / "b.h5")
    assert one.fingerprint == other.fingerprint
    np.testing.assert_array_equal(one.images, other.images)


@pytest.mark.parametrize("name", LAYOUTS)
def test_another_folder_is_refused_with_the_layout(name: str, tmp_path: Path) -> None:
    laid = LAYOUTS[name](tmp_path / "data")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("a")
    answer = ingested(name, tmp_path / "other", tmp_path / "a.h5", laid)
    assert answer.status == 2
    assert "Traceback" not in answer.err
    assert not list(tmp_path.glob("a.h5*"))
    if load_preset(name).kind != "fastmri":
        assert "a.txt" in answer.err
        assert load_preset(name).layout.splitlines()[1].strip() in answer.err


def test_the_folder_above_is_refused_with_the_one_to_name(tmp_path: Path) -> None:
    laid = LAYOUTS["mrnet"](tmp_path / "up" / "MRNet-v1.0")
    answer = ingested("mrnet", tmp_path / "up", tmp_path / "a.h5", laid)
    assert answer.status == 2
    assert "begins at MRNet-v1.0" in answer.err


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("mrnet", "train-acl.csv"),
        ("rsna-miccai", "train_labels.csv"),
        ("rsna-lumbar", "train.csv"),
        ("rsna-lumbar", "train_label_coordinates.csv"),
        ("oasis1", "oasis_cross-sectional.csv"),
        ("bids", "participants.tsv"),
        ("fastmri-knee", "Annotations/knee.csv"),
        ("fastmri-brain", "Annotations/brain_file_list.csv"),
        ("fastmri-prostate-t2", "t2_slice_level_labels.csv"),
    ],
)
def test_a_missing_table_is_named_with_the_layout(name: str, table: str, tmp_path: Path) -> None:
    laid = LAYOUTS[name](tmp_path / "data")
    path = tmp_path / "data" / table
    path.rename(path.with_name(f"my_{path.name}"))
    answer = ingested(name, tmp_path / "data", tmp_path / "a.h5", laid)
    assert answer.status == 2
    assert f"a table that {name} needs is not there" in answer.err
    assert str(path).removesuffix(path.suffix) in answer.err
    assert f"did you mean 'my_{path.name}'?" in answer.err
    assert "pass --tables" in answer.err


def test_tables_may_lie_elsewhere(tmp_path: Path) -> None:
    laid = LAYOUTS["mrnet"](tmp_path / "data")
    (tmp_path / "tables" / "labels").mkdir(parents=True)
    for table in (tmp_path / "data").glob("*.csv"):
        shutil.move(table, tmp_path / "tables" / "labels" / table.name)
    tables = ("--tables", tmp_path / "tables")
    answer = ingested("mrnet", tmp_path / "data", tmp_path / "a.h5", laid, *tables)
    assert answer.status == 0, answer.err
    assert "train-acl.csv is not at its place; taken from" in answer.err
    assert slices_of(Store.open(tmp_path / "a.h5")) == laid.slices


def test_a_choice_takes_other_files(tmp_path: Path) -> None:
    laid = LAYOUTS["mrnet"](tmp_path / "data")
    chosen = ("--choose", "plane=axial")
    answer = ingested("mrnet", tmp_path / "data", tmp_path / "a.h5", laid, *chosen)
    assert answer.status == 0, answer.err
    store = Store.open(tmp_path / "a.h5")
    assert set(store.column("plane")) == {"axial"}
    assert len(store) == 4 * 3
    assert store.source["preset"]["chosen"] == {"plane": "axial"}
    np.testing.assert_array_equal(
        store.images[0], np.load(tmp_path / "data/train/axial/0000.npy")[0]
    )


def test_the_middle_of_volumes(tmp_path: Path) -> None:
    laid = LAYOUTS["mrnet"](tmp_path / "data")
    answer = ingested("mrnet", tmp_path / "data", tmp_path / "a.h5", laid, "--middle", 1)
    assert answer.status == 0, answer.err
    store = Store.open(tmp_path / "a.h5")
    assert set(map(int, store.numbers)) == {2}
    assert store.source["middle"] == 1


def test_published_splits_can_be_passed_over(tmp_path: Path) -> None:
    laid = LAYOUTS["mrnet"](tmp_path / "data")
    more = ("--ignore-splits", "--folds", 2)
    answer = ingested("mrnet", tmp_path / "data", tmp_path / "a.h5", laid, *more)
    assert answer.status == 0, answer.err
    store = Store.open(tmp_path / "a.h5")
    assert set(store.column("split")) == {"1", "2"}
    assert "4 files" in (store.caution or "")  # exams, of which one person may have several
    assert ingested("mrnet", tmp_path / "data", tmp_path / "b.h5", laid).status == 0
    assert Store.open(tmp_path / "b.h5").caution is None


def test_sessions_of_a_subject_are_one_patient(tmp_path: Path) -> None:
    for name, person in (("bids", "sub-01"), ("brats2023", "BraTS-GLI-00000")):
        laid = LAYOUTS[name](tmp_path / name)
        assert ingested(name, tmp_path / name, tmp_path / f"{name}.h5", laid).status == 0
        store = Store.open(tmp_path / f"{name}.h5")
        rows = np.flatnonzero(np.array(store.column("patient")) == person)
        assert len({store.column("scan")[row] for row in rows}) == 2
        assert len({store.column("split")[row] for row in rows}) == 1


def test_a_split_by_site_of_tcga(tmp_path: Path) -> None:
    laid = LAYOUTS["tcga-lgg"](tmp_path / "data")
    more = ("--split-by", "site", "--folds", "1")
    answer = ingested("tcga-lgg", tmp_path / "data", tmp_path / "a.h5", laid, *more)
    assert answer.status == 0, answer.err
    assert set(Store.open(tmp_path / "a.h5").column("split")) == {"CS", "DU", "HT"}


@pytest.mark.parametrize(("sequence", "channel"), [("pre", 0), ("flair", 1), ("post", 2)])
def test_a_sequence_of_tcga_is_a_channel(sequence: str, channel: int, tmp_path: Path) -> None:
    from PIL import Image

    laid = LAYOUTS["tcga-lgg"](tmp_path / "data")
    chosen = ("--choose", f"sequence={sequence}")
    assert ingested("tcga-lgg", tmp_path / "data", tmp_path / "a.h5", laid, *chosen).status == 0
    case = "TCGA_CS_4941_19960909"
    with Image.open(tmp_path / "data/kaggle_3m" / case / f"{case}_1.tif") as picture:
        expected = np.asarray(picture)[..., channel]
    np.testing.assert_array_equal(Store.open(tmp_path / "a.h5").images[0], expected)


def test_nobody_known_is_refused_or_said(tmp_path: Path) -> None:
    laid = LAYOUTS["brain-tumour-folders"](tmp_path / "data")
    out = tmp_path / "a.h5"
    answer = ask("ingest", "preset", "brain-tumour-folders", tmp_path / "data", "--out", out)
    assert answer.status == 2
    assert "--unknown-patients each-file" in answer.err
    assert ingested("brain-tumour-folders", tmp_path / "data", out, laid).status == 0
    assert "flattered" in (Store.open(out).caution or "")


def test_one_mild_grade_less_shows_fewer_labels(tmp_path: Path) -> None:
    laid = LAYOUTS["rsna-lumbar"](tmp_path / "data")
    chosen = ("--choose", "grade=severe")
    answer = ingested("rsna-lumbar", tmp_path / "data", tmp_path / "a.h5", laid, *chosen)
    assert answer.status == 0, answer.err
    severe = {key: labels - {"spinal_canal_stenosis_l1_l2"} for key, labels in laid.slices.items()}
    assert slices_of(Store.open(tmp_path / "a.h5")) == severe


def test_an_instance_that_is_not_there_leaves_the_series_out(tmp_path: Path) -> None:
    laid = LAYOUTS["rsna-lumbar"](tmp_path / "data")
    path = tmp_path / "data" / "train_label_coordinates.csv"
    path.write_text(path.read_text().replace("702807833,4", "702807833,44"))
    answer = ingested("rsna-lumbar", tmp_path / "data", tmp_path / "a.h5", laid, "--strict")
    assert answer.status == 2
    assert "instance 44" in answer.err
    assert "1 to 5" in answer.err


@pytest.mark.parametrize(
    ("choose", "said"),
    [
        ("plain=axial", "did you mean 'plane'?"),
        ("plane=axal", "did you mean 'axial'?"),
        ("plane", "give NAME=VALUE"),
    ],
)
def test_a_wrong_choice_is_refused(choose: str, said: str, tmp_path: Path) -> None:
    LAYOUTS["mrnet"](tmp_path / "data")
    out = ("--out", tmp_path / "a.h5")
    answer = ask("ingest", "preset", "mrnet", tmp_path / "data", *out, "--choose", choose)
    assert answer.status == 2
    assert said in answer.err


def test_a_choice_that_has_to_be_made(tmp_path: Path) -> None:
    LAYOUTS["bids"](tmp_path / "data")
    out = ("--out", tmp_path / "a.h5")
    answer = ask("ingest", "preset", "bids", tmp_path / "data", *out)
    assert answer.status == 2
    assert "pass --choose label=VALUE" in answer.err
    answer = ask("ingest", "preset", "bids", tmp_path / "data", *out, "--choose", "label=grop")
    assert answer.status == 2
    assert "did you mean 'group'?" in answer.err
    chosen = ("--choose", "label=group", "suffix=T2w")
    answer = ask("ingest", "preset", "bids", tmp_path / "data", *out, *chosen)
    assert answer.status == 2
    assert "FLAIR (1)" in answer.err


def test_the_store_says_the_preset_to_a_script(tmp_path: Path) -> None:
    laid = LAYOUTS["oasis1"](tmp_path / "data")
    assert ingested("oasis1", tmp_path / "data", tmp_path / "a.h5", laid).status == 0
    shown = json.loads(ask("data", "show", tmp_path / "a.h5", "--json").out)
    assert shown["source"]["preset"]["name"] == "oasis1"
    assert shown["source"]["kind"] == "volumes"


def test_an_ingest_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    laid = LAYOUTS["mrnet"](tmp_path / "data")
    damaged = tmp_path / "data" / "train" / "sagittal" / "0001.npy"
    sound = damaged.read_bytes()
    damaged.write_bytes(sound[:200])
    stopped = ingested("mrnet", tmp_path / "data", tmp_path / "a.h5", laid, "--strict")
    assert stopped.status == 2
    assert "0001.npy" in stopped.err
    assert not (tmp_path / "a.h5").exists()
    damaged.write_bytes(sound)
    assert ingested("mrnet", tmp_path / "data", tmp_path / "a.h5", laid).status == 0
    assert ingested("mrnet", tmp_path / "data", tmp_path / "b.h5", laid).status == 0
    one, other = (Store.open(tmp_path / f"{name}.h5") for name in "ab")
    assert one.fingerprint == other.fingerprint


def test_a_table_in_another_order_and_with_other_columns_changes_nothing(tmp_path: Path) -> None:
    for name, table in (("oasis1", "oasis_cross-sectional.csv"), ("rsna-lumbar", "train.csv")):
        laid = LAYOUTS[name](tmp_path / name)
        assert ingested(name, tmp_path / name, tmp_path / f"{name}.h5", laid).status == 0
        path = tmp_path / name / table
        head, *rows = path.read_text().splitlines()
        lines = [f"{head},more", *(f"{row},x" for row in reversed(rows))]
        path.write_text("\n".join(lines) + "\n")
        again = tmp_path / f"{name}-again.h5"
        assert ingested(name, tmp_path / name, again, laid).status == 0
        assert Store.open(again).fingerprint == Store.open(tmp_path / f"{name}.h5").fingerprint


def test_a_cell_that_no_label_is_of_is_refused(tmp_path: Path) -> None:
    laid = LAYOUTS["rsna-miccai"](tmp_path / "data")
    path = tmp_path / "data" / "train_labels.csv"
    path.write_text(path.read_text().replace("00003,1", "00003,methylated"))
    answer = ingested("rsna-miccai", tmp_path / "data", tmp_path / "a.h5", laid)
    assert answer.status == 2
    assert "'methylated' for 'MGMT_value'" in answer.err
    assert "row 2" in answer.err


def test_files_that_a_table_or_a_mask_lacks_are_left_out_and_counted(tmp_path: Path) -> None:
    laid = LAYOUTS["mrnet"](tmp_path / "data")
    path = tmp_path / "data" / "train-acl.csv"
    path.write_text("0000,1\n0001,\n")
    answer = ingested("mrnet", tmp_path / "data", tmp_path / "a.h5", laid)
    assert answer.status == 0, answer.err
    assert set(Store.open(tmp_path / "a.h5").patients) == {"0000", "1130"}
    assert "has no row for: 1; left out" in answer.err
    assert "are known: 1; left out" in answer.err
    laid = LAYOUTS["brats"](tmp_path / "brats")
    answer = ingested("brats", tmp_path / "brats", tmp_path / "b.h5", laid)
    assert "without the mask that lies beside others: 1; left out" in answer.err


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("tcga-lgg", ("--middle", 1)),
        ("tcga-lgg", ("--axis", "axial")),
        ("fastmri-knee", ("--middle", 1)),
        ("fastmri-knee", ("--patient-pattern", "x")),
        ("mrnet", ("--take", "EchoTime=80")),
        ("mrnet", ("--least-area", "3px")),
        ("mrnet", ("--below", "drop")),
    ],
)
def test_an_option_that_means_nothing_is_refused(
    name: str, option: tuple[object, ...], tmp_path: Path
) -> None:
    laid = LAYOUTS[name](tmp_path / "data")
    answer = ingested(name, tmp_path / "data", tmp_path / "a.h5", laid, *option)
    assert answer.status == 2
    assert f"received {option[0]}; leave them out" in answer.err


def test_a_least_area_of_masks(tmp_path: Path) -> None:
    laid = LAYOUTS["brats"](tmp_path / "data")
    least = ("--least-area", "20px")  # the tree has 16 pixels of enhancing tumour, 48 of others
    answer = ingested("brats", tmp_path / "data", tmp_path / "a.h5", laid, *least)
    assert answer.status == 0, answer.err
    fewer = {key: labels - {"enhancing"} for key, labels in laid.slices.items()}
    assert slices_of(Store.open(tmp_path / "a.h5")) == fewer


def test_labels_spelt_alike_are_one(tmp_path: Path) -> None:
    laid = LAYOUTS["bids"](tmp_path / "data")
    path = tmp_path / "data" / "participants.tsv"
    path.write_text(path.read_text().replace("66\tcontrol", "66\tControl "))
    answer = ingested("bids", tmp_path / "data", tmp_path / "a.h5", laid)
    assert answer.status == 0, answer.err
    assert slices_of(Store.open(tmp_path / "a.h5")) == laid.slices
    assert "'Control' (1 row) as 'control'" in answer.err


def test_columns_of_its_tables_can_be_kept(tmp_path: Path) -> None:
    laid = LAYOUTS["oasis1"](tmp_path / "data")
    answer = ingested("oasis1", tmp_path / "data", tmp_path / "a.h5", laid, "--columns", "MMSE")
    assert answer.status == 0, answer.err
    assert set(Store.open(tmp_path / "a.h5").column("MMSE")) == {"29"}
    answer = ingested("oasis1", tmp_path / "data", tmp_path / "b.h5", laid, "--columns", "MMS")
    assert answer.status == 2
    assert "did you mean 'MMSE'?" in answer.err


def test_pictures_of_one_volume_are_one_scan(tmp_path: Path) -> None:
    laid = LAYOUTS["tcga-lgg"](tmp_path / "data")
    assert ingested("tcga-lgg", tmp_path / "data", tmp_path / "a.h5", laid).status == 0
    store = Store.open(tmp_path / "a.h5")
    assert len(set(store.scans)) == 3
    assert sorted(store.numbers) == [1, 1, 1, 2, 2, 2]


def test_a_table_of_oasis_in_excel(tmp_path: Path) -> None:
    laid = LAYOUTS["oasis1"](tmp_path / "data")
    table = tmp_path / "data" / "oasis_cross-sectional.csv"
    book = Workbook()
    for row in csv.reader(table.read_text().splitlines()):
        book.active.append(
            [float(cell) if cell.replace(".", "").isdigit() else cell for cell in row]
        )
    book.save(tmp_path / "data" / "oasis_cross-sectional-5708aa.xlsx")
    answer = ingested("oasis1", tmp_path / "data", tmp_path / "a.h5", laid)
    assert answer.status == 2
    assert "2 of this name" in answer.err
    table.unlink()
    answer = ingested("oasis1", tmp_path / "data", tmp_path / "a.h5", laid)
    assert answer.status == 0, answer.err
    assert slices_of(Store.open(tmp_path / "a.h5")) == laid.slices


@pytest.mark.parametrize(
    ("name", "line", "instead", "said"),
    [
        ("tcga-lgg", 'channel: "{sequence}"', "channel: violet", "'violet'"),
        ("tcga-lgg", "flair: [green]", "flair: [green, red]", "is several"),
        ("tcga-lgg", 'number: "{number}"', 'number: "{site}"', "'CS' in"),
        ("fastmri-prostate-t2", "reconstruction: rss", "reconstruction: rs", "'rss'"),
    ],
)
def test_a_preset_of_the_users_that_is_wrong_is_refused(
    name: str, line: str, instead: str, said: str, tmp_path: Path
) -> None:
    laid = LAYOUTS[name](tmp_path / "data")
    text = reading.SHIPPED[name].read_text(encoding="utf-8")
    assert line in text
    (tmp_path / "my.yaml").write_text(text.replace(line, instead), encoding="utf-8")
    answer = ingested(str(tmp_path / "my.yaml"), tmp_path / "data", tmp_path / "a.h5", laid)
    assert answer.status == 2
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_what_is_chosen_is_no_glob(tmp_path: Path) -> None:
    laid = LAYOUTS["bids"](tmp_path / "data")
    out = tmp_path / "a.h5"
    answer = ingested("bids", tmp_path / "data", out, laid, "--choose", "label=*", "suffix=T1w")
    assert answer.status == 2
    assert "does not have the columns of labels" in answer.err
    assert not out.exists()


def test_a_number_that_no_store_can_keep_is_refused(tmp_path: Path) -> None:
    laid = LAYOUTS["tcga-lgg"](tmp_path / "data")
    for path in list((tmp_path / "data").rglob("*.tif")):
        scan, _, rest = path.name.removesuffix("_mask.tif").removesuffix(".tif").rpartition("_")
        end = "_mask.tif" if path.name.endswith("_mask.tif") else ".tif"
        path.rename(path.with_name(f"{scan}_99999999999{rest}{end}"))
    answer = ingested("tcga-lgg", tmp_path / "data", tmp_path / "a.h5", laid)
    assert answer.status == 2
    assert "no whole number from 0 to 2147483647" in answer.err
