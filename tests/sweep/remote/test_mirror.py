"""Two nodes, one folder behind a URI: what one writes the other has; the bucket is the truth."""

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sweep.api.best import best
from sweep.cli import main
from sweep.core import mirrors
from sweep.core.errors import UserError, WorkError
from sweep.core.files import write_text
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.checkpoints import CheckpointInfo
from sweep.remote import mirror
from sweep.remote.places import Place
from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.buckets import Node
from tests.support.data import ROOT
from tests.support.finished import config_of, run_trial


@pytest.fixture
def begun(uri: str, store: Store) -> SweepFolder:
    """A sweep without a trial, driven from here."""
    return SweepFolder.create(uri, config_of(store))


def there(uri: str, name: str) -> Path:
    """The object itself."""
    return Path(uri.removeprefix("file://")) / name


def names(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def arrived(folder: SweepFolder) -> SweepFolder:
    """The same, as a worker of this process's node gets it."""
    found: SweepFolder = pickle.loads(pickle.dumps(folder))
    return found


def test_a_sweep_in_a_bucket_answers_as_one_on_a_disk(
    uri: str,
    sweep_folder: Path,
    store: Store,
    tmp_path: Path,
    node: Node,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(sweep_folder, there(uri, ""), ignore=shutil.ignore_patterns(".*"))
    node("elsewhere")
    one, other = best(sweep_folder), best(uri)
    assert [(row.trial, row.metrics) for row in other] == [(row.trial, row.metrics) for row in one]
    assert other[0].checkpoint.startswith(f"{uri}/checkpoints/trial-000")
    assert other[0].folder == uri
    for question in (
        ["compare", uri, "trial-0000", "trial-0001"],
        ["stress", other[0].checkpoint, "--data", str(store.path)],
        [
            "predict",
            other[0].checkpoint,
            "--data",
            str(store.path),
            "--out",
            f"{tmp_path}/p.parquet",
        ],
        ["report", uri],
    ):
        assert main(question) == 0, capsys.readouterr().err
    assert there(uri, "report.html").exists()
    assert str(tmp_path / "nodes") not in capsys.readouterr().out
    assert "nodes/elsewhere" not in there(uri, "report.html").read_text()


def test_what_a_node_writes_another_reads(
    begun: SweepFolder, uri: str, store: Store, node: Node
) -> None:
    run_trial(begun, config_of(store), store, 0)
    assert names(begun.path) == names(there(uri, ""))
    node("worker")
    folder = arrived(begun)
    assert folder.path != begun.path
    assert folder.path.name == begun.path.name
    folder.take_up("trial-0000")
    (checkpoint,) = mirrors.listed(folder.checkpoints("trial-0000"))
    assert checkpoint.stat().st_size == 0, "what is large is brought when it is read"
    assert CheckpointInfo.read(checkpoint).trial == "trial-0000"
    assert (
        checkpoint.read_bytes()
        == there(uri, f"checkpoints/trial-0000/{checkpoint.name}").read_bytes()
    )
    assert folder.epochs("trial-0000") == begun.epochs("trial-0000")
    assert folder.last_reported("trial-0000") == 2


def test_paths_travel_to_the_mirror_of_the_node_where_they_arrive(
    begun: SweepFolder, tmp_path: Path, node: Node
) -> None:
    checkpoint = begun.checkpoint("trial-0000", 1)
    checkpoint.parent.mkdir(parents=True)
    files = CheckpointFolder(checkpoint.parent)
    sent = pickle.dumps((files, Place.of(checkpoint), Place.of(tmp_path / "plain")))
    node("other")
    files_there, place, plain = pickle.loads(sent)
    assert files_there.path == arrived(begun).checkpoints("trial-0000") != files.path
    assert place.here() == arrived(begun).checkpoint("trial-0000", 1)
    assert plain.here() == plain.current() == tmp_path / "plain"


def test_a_file_that_was_written_again_elsewhere_is_read_anew(
    begun: SweepFolder, uri: str, node: Node
) -> None:
    path = begun.checkpoint("trial-0000", 1)
    write_text(path, "first")
    node("other")
    place = Place.of(arrived(begun).checkpoint("trial-0000", 1))
    assert place.current().read_text() == "first"
    node("here")
    write_text(path, "and again")
    node("other")
    assert place.current().read_text() == "and again"
    node("here")
    mirrors.remove(path)
    assert not there(uri, "checkpoints/trial-0000/epoch-0001.pt").exists()
    node("other")
    assert not place.current().exists()


def test_records_that_change_twice_in_a_second_without_growing_are_read_anew(
    begun: SweepFolder, uri: str, node: Node
) -> None:
    for text in ("1", "2"):
        node("here")
        write_text(begun.path / "used.json", text)
        node("asks")
        assert (SweepFolder.open(uri).path / "used.json").read_text() == text


def test_the_bucket_is_the_truth_for_whoever_drives_on(begun: SweepFolder, uri: str) -> None:
    """A driver may die when a file is in one of both alone."""
    write_text(begun.path / "trials" / "trial-0000.json", "known")
    (begun.path / "trials" / "trial-0000.json").write_text("not in the bucket")
    (begun.path / "trials" / "trial-0001.json").write_text("neither")
    there(uri, "trials/trial-0002.json").write_text("not here")
    with begun.lock():
        found = {path.name: path.read_text() for path in (begun.path / "trials").iterdir()}
    assert found == {"trial-0000.json": "known", "trial-0002.json": "not here"}


def test_a_question_leaves_the_mirror_of_a_driver_as_it_is(begun: SweepFolder, uri: str) -> None:
    there(uri, "used.json").write_text('{"seconds": 1, "gpu_seconds": 2}')
    asked = SweepFolder.open(uri)
    assert asked.time_used() == (1.0, 2.0)
    assert asked.path != begun.path
    assert not (begun.path / "used.json").exists()


def test_caches_and_what_is_hidden_stay_on_their_node(begun: SweepFolder, uri: str) -> None:
    for name in ("summary.parquet", "tune/state.json", ".hidden", "trials/.x.tmp"):
        write_text(begun.path / name, "here only")
        assert not there(uri, name).exists()
    with begun.lock():
        assert (begun.path / "summary.parquet").exists()


def test_what_is_large_leaves_a_node_that_does_not_use_it_and_can_be_read_on(
    begun: SweepFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_trial(begun, config_of(store), store, 0)
    before = begun.predictions("trial-0000", 1)[0]
    monkeypatch.setattr(mirror, "UNUSED_S", -1.0)
    begun.take_up("trial-0001")
    sizes = {path.stat().st_size for path in (begun.path / "predictions").rglob("*.parquet")}
    assert sizes == {0}
    after = begun.predictions("trial-0000", 1)[0]
    assert [one.log_odds.tolist() for one in after] == [one.log_odds.tolist() for one in before]


def test_a_new_sweep_takes_no_folder_that_has_something_but_what_a_kill_left_of_a_beginning(
    begun: SweepFolder, uri: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match=f"received '{uri}'"):
        SweepFolder.create(uri, config_of(store))
    there(uri, "sweep.yaml").unlink()
    assert main(["resume", uri]) == 2
    assert f"no sweep.yaml; received '{uri}'" in capsys.readouterr().err
    SweepFolder.create(uri, config_of(store))
    assert SweepFolder.open(uri).config() == config_of(store)


def test_the_path_of_a_mirror_is_taken_for_what_it_is_a_mirror_of(
    begun: SweepFolder, uri: str, tmp_path: Path
) -> None:
    """As somebody may find it on the disk: a sweep that goes on in it alone would be lost."""
    found = begun.path.parent.parent / "found" / begun.path.name
    shutil.copytree(begun.path, found)
    assert mirrors.named(str(SweepFolder.open(found).path)) == uri
    shutil.copytree(begun.path, tmp_path / "own")
    assert SweepFolder.open(tmp_path / "own").path == tmp_path / "own"


def test_a_question_to_a_folder_on_a_disk_imports_no_client_of_buckets(sweep_folder: Path) -> None:
    """It takes as long to import as the question takes to answer."""
    code = (
        "import sys; from sweep.cli import main; main(sys.argv[1:]); "
        "print({'pyarrow', 'sweep.remote.mirror'} & set(sys.modules), file=sys.stderr)"
    )
    asked = [sys.executable, "-c", code, "best", str(sweep_folder)]
    done = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr.splitlines()[-1] == "set()"


def test_a_place_without_room_for_mirrors_is_said(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MRISWEEP_CACHE", str(tmp_path / "file"))
    with pytest.raises(WorkError, match="MRISWEEP_CACHE"):
        SweepFolder.open(uri)
