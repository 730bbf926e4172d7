"""A password of the tracking server is planted, and looked for wherever something is written."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from sweep.api.report import Outputs, write_report
from sweep.api.run import SweepResult
from sweep.cli import main
from sweep.config.sweep import SweepConfig
from sweep.config.tracking import TrackingSettings, check_address
from sweep.core.errors import UserError
from sweep.core.text import without_passwords
from sweep.results.folder import SweepFolder
from sweep.results.trackers import start_trackers
from sweep.store import Store
from tests.support import servers
from tests.support.sweeps import settings

# MLflow's own, see test_mlflow.py.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

SECRET = "pl4nted"
WITH_SECRET = (
    f"http://ann:{SECRET}@mlflow.example:5000",
    f"https://{SECRET}@mlflow.example",
    f"http://ann:{SECRET}/with@signs@mlflow.example",
    f"http://ann:with space {SECRET}@mlflow.example",
    f"postgresql://ann:{SECRET}@db.example/mlflow",
    f"postgresql+psycopg://db.example/mlflow?user=ann&password={SECRET}",
    f"mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BUID%3Dann%3BPWD%3D{SECRET}",
    f"https://mlflow.example/?access_token={SECRET}",
)
WITHOUT = (
    "http://mlflow.example:5000/team",
    "https://mlflow.example",
    "postgresql://ann@db.example:5432/mlflow",
    "sqlite:////data/a:b@c/mlflow.db",
    "databricks://profile",
    "databricks",
    "env",
)


@contextmanager
def nothing_shown(capsys: pytest.CaptureFixture[str]) -> Iterator[list[str]]:
    """While inside, what is said is searched for the password; it is in the list afterwards."""
    texts: list[str] = []
    capsys.readouterr()
    yield texts
    texts += capsys.readouterr()
    assert SECRET not in "".join(texts)


def nothing_kept(*places: Path) -> None:
    files = [file for place in places for file in place.rglob("*") if file.is_file()]
    assert files
    assert [file for file in files if SECRET.encode() in file.read_bytes()] == []


@pytest.fixture
def write(store: Store, tmp_path: Path) -> Callable[[object], str]:
    def write(tracking: object) -> str:
        file = tmp_path / "sweep.yaml"
        file.write_text(yaml.safe_dump(settings(store, tracking=tracking)))
        return str(file)

    return write


@pytest.mark.parametrize("address", WITH_SECRET)
def test_an_address_with_a_password_is_refused_wherever_it_is_given(
    address: str,
    write: Callable[[object], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    for tracking, command in (
        ({"uri": address}, ("run", "--out", str(out))),
        ({"uri": address}, ("check",)),
        ({}, ("run", "--set", f"tracking.uri={address}", "--out", str(out))),
    ):
        with nothing_shown(capsys) as shown:
            assert main((command[0], write(tracking), *command[1:])) == 2
        assert "tracking.uri has a password or a token in it" in shown[1]
        assert "MLFLOW_TRACKING_PASSWORD" in shown[1]
        assert "MLFLOW_TRACKING_URI" in shown[1]
        assert not out.exists()
    with nothing_shown(capsys) as shown:
        assert main(("best", "--mlflow", address, "--experiment", "tiny")) == 2
    assert "--mlflow has a password or a token in it" in shown[1]


@pytest.mark.parametrize("address", WITHOUT)
def test_an_address_without_one_is_taken(address: str) -> None:
    check_address(address, "tracking.uri")
    assert without_passwords(address) == address


@pytest.mark.parametrize(
    "assignment",
    [
        "tracking.uri=[{}]",
        "tracking.uri={{a: {}",
        "tracking={}",
        "tracking.url={}",
        "{}",
    ],
)
def test_what_cannot_be_read_is_not_repeated_with_it(
    assignment: str, write: Callable[[object], str], capsys: pytest.CaptureFixture[str]
) -> None:
    with nothing_shown(capsys):
        given = assignment.format(WITH_SECRET[0])
        assert main(("check", write({"uri": "sqlite"}), "--set", given)) == 2


def test_a_file_that_is_no_yaml_is_not_repeated_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(f"tracking: {{uri: {WITH_SECRET[0]}, to: [\n")
    with nothing_shown(capsys):
        assert main(("check", str(file))) == 2


@pytest.mark.parametrize("address", ["", " ", "mlruns", "./mlflow.db", "file:///tmp/mlruns"])
def test_what_is_no_address_is_refused_before_anything_is_made(
    address: str,
    write: Callable[[object], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert main(("run", write({"uri": address}))) == 2
    assert "tracking.uri is no address of a tracking server; received" in capsys.readouterr().err
    with pytest.raises(UserError, match="no address"):
        check_address(address, "--mlflow")
    assert list((tmp_path / "here").iterdir()) == []


def test_an_environment_without_an_address_is_said(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.write_config(folder.config().replace({"tracking.uri": "env"}))
    for value in ("", "mlruns"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", value)
        assert main(("sync", str(folder.path))) == 2
        assert "MLFLOW_TRACKING_URI" in capsys.readouterr().err
        assert main(("best", "--mlflow", "env", "--experiment", "x")) == 2
        assert "MLFLOW_TRACKING_URI" in capsys.readouterr().err


@pytest.fixture
def in_environment(folder: SweepFolder, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts an address with the password where a sweep's own says that it is."""
    folder.write_config(folder.config().replace({"tracking.uri": "env"}))

    def put(place: str) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:{SECRET}@{place}")

    return put


def test_one_of_the_environment_is_kept_by_nobody(
    folder: SweepFolder,
    in_environment: Callable[[str], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    heard: list[str] = []
    (tmp_path / "artifacts").mkdir()
    with servers.accepting(tmp_path / "artifacts", heard) as place:
        in_environment(place)
        config, said = folder.config(), []
        with nothing_shown(capsys) as shown:
            (running,) = start_trackers(folder, config, said.append)
            running.close(finished=True)
            assert main(("sync", str(folder.path))) == 0
            write_report(folder.path, Outputs())
        assert shown == [f"2 trials of {folder.path} are in mlflow\n", ""], "results alone"
    assert said == []
    told = "\n".join(heard)
    assert '"clean/auroc"' in told
    assert SECRET not in told
    nothing_kept(folder.path, tmp_path / "artifacts")


def test_one_of_the_environment_is_in_no_error(
    folder: SweepFolder,
    in_environment: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for server in (servers.answering(500), servers.answering(401), servers.answering(404)):
        with server as place, nothing_shown(capsys):
            in_environment(place)
            said: list[str] = []
            (running,) = start_trackers(folder, folder.config(), said.append)
            running.close(finished=True)
            assert SECRET not in "".join(said)
            assert place in "".join(said)
            assert main(("sync", str(folder.path))) == 1
            assert main(("best", "--mlflow", "env", "--experiment", "ledger")) == 2
    for place, status in {servers.nobody(): 1, "[::1": 2, "no host:x": 2, ":0:0": 2}.items():
        in_environment(place)
        with nothing_shown(capsys):
            assert main(("sync", str(folder.path))) == status
            assert main(("best", "--mlflow", "env", "--experiment", "ledger")) == 2
    nothing_kept(folder.path)


@pytest.mark.parametrize(
    ("address", "way"),
    [
        (f"http://ann:{SECRET}@mlflow.example:5000", "http://ann:***@mlflow.example:5000"),
        (f"postgresql://ann:{SECRET}@db/x", 'mlflow ui --backend-store-uri "$MLFLOW_TRACKING_URI"'),
        ("sqlite:////x/mlflow.db", "mlflow ui --backend-store-uri sqlite:////x/mlflow.db"),
    ],
)
def test_the_last_line_of_a_sweep_says_how_to_look_without_it(
    address: str,
    way: str,
    folder: SweepFolder,
    write: Callable[[object], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    shown = TrackingSettings(uri="env").shown(folder.path)
    result = SweepResult(folder.path, "ledger", shown, "robust/auroc_cvar", (), ())
    monkeypatch.setattr("sweep.api.run.run", lambda *_: result)
    with nothing_shown(capsys) as texts:
        assert main(("run", write({"uri": "env"}))) == 0
    assert texts[0].splitlines()[-1].strip() == way


def test_a_folder_of_before_that_has_one_is_read_and_shows_it_to_nobody(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = yaml.safe_load((folder.path / "sweep.yaml").read_text())
    plain["tracking"] = {"uri": WITH_SECRET[0], "to": ["mlflow"]}
    (folder.path / "sweep.yaml").write_text(yaml.safe_dump(plain))
    with nothing_shown(capsys) as texts:
        assert main(("best", str(folder.path), "--json")) == 0
        assert main(("sync", str(folder.path))) == 2
    assert len(json.loads(texts[0])) == 2
    assert "tracking.uri has a password" in texts[1]
    with nothing_shown(capsys) as texts:
        write_report(folder.path, Outputs(page=folder.path / "page.html"))
    assert SECRET not in (folder.path / "page.html").read_text()
    assert SECRET not in folder.config().to_yaml()
    folder.write_config(SweepConfig.from_dict(plain))
    with nothing_shown(capsys) as texts:
        assert main(("sync", str(folder.path))) == 2, "what is left of it is no address, either"
    nothing_kept(folder.path)
