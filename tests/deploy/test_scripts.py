"""The shell scripts of `deploy/`: what shellcheck says, and what they do with stand-ins."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support.deployments import DEPLOY, bash, program, stand_in

SCRIPTS = sorted([*DEPLOY.rglob("*.sh"), *DEPLOY.rglob("*.sbatch")])
SECRETS = {
    "postgres_password": "of-the-database",
    "storage_key": "name of-the-storage",
    "mlflow_admin_password": "of-the-administrator",
    "mlflow_flask_key": "of-the-forms",
}


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name, value in SECRETS.items():
        (folder / name).write_text(value + "\n")
    return folder


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_shellcheck_finds_nothing(script: Path) -> None:
    done = subprocess.run(
        [program("shellcheck"), "--external-sources", str(script)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_tracking_server_gets_its_secrets_by_the_environment_alone(
    tmp_path: Path, secrets: Path
) -> None:
    stand_in(tmp_path / "bin", "mlflow", 'echo "$@"; env | sort\n')
    script = DEPLOY / "compose" / "mlflow.sh"
    done = bash(script, "--port=5000", first=tmp_path / "bin", SECRETS=str(secrets))
    arguments, *environment = done.stdout.splitlines()
    assert arguments == "server --app-name basic-auth --workers 1 --port=5000"
    assert {
        "PGPASSWORD=of-the-database",
        "AWS_ACCESS_KEY_ID=name",
        "AWS_SECRET_ACCESS_KEY=of-the-storage",
        "MLFLOW_AUTH_ADMIN_PASSWORD=of-the-administrator",
        "MLFLOW_FLASK_SERVER_SECRET_KEY=of-the-forms",
    } <= set(environment)


def test_the_storage_makes_its_buckets_and_gets_its_key_by_the_environment(
    tmp_path: Path, secrets: Path
) -> None:
    stand_in(tmp_path / "bin", "versitygw", 'echo "$@"; env | sort\n')
    data = tmp_path / "data"
    done = bash(
        *(DEPLOY / "compose" / "storage.sh", "mlflow", "sweeps"),
        first=tmp_path / "bin",
        SECRETS=str(secrets),
        DATA=str(data),
    )
    arguments, *environment = done.stdout.splitlines()
    assert "of-the-storage" not in arguments
    assert {"ROOT_ACCESS_KEY=name", "ROOT_SECRET_KEY=of-the-storage"} <= set(environment)
    assert sorted(path.name for path in data.iterdir()) == ["mlflow", "sweeps"]


def test_secrets_are_made_once_and_for_their_owner(tmp_path: Path) -> None:
    for name in ("prepare.sh", "example.env"):
        (tmp_path / name).write_bytes((DEPLOY / "compose" / name).read_bytes())
    stand_in(tmp_path / "bin", "chown", "exit 0\n")
    first = bash(tmp_path / "prepare.sh", first=tmp_path / "bin")
    assert first.returncode == 0, first.stderr
    made = {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()}
    again = bash(tmp_path / "prepare.sh", first=tmp_path / "bin")
    assert again.returncode == 0
    assert made == {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()}
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert len(made) == 6
    assert len(set(made.values())) == 6
    assert min(map(len, made.values())) > 40


def test_digests_are_added_to_images_that_have_none(tmp_path: Path) -> None:
    stand_in(tmp_path / "bin", "crane", 'echo "sha256:of-$2"\n')
    file = tmp_path / "images.env"
    file.write_text("# words\nA_IMAGE=host/a:1.0\nB_IMAGE=host/b:2@sha256:x\nOWN=mine:1\nN=4\n")
    done = bash(DEPLOY / "pin_images.sh", file, first=tmp_path / "bin")
    assert done.returncode == 0, done.stderr
    assert file.read_text().splitlines() == [
        "# words",
        "A_IMAGE=host/a:1.0@sha256:of-host/a:1.0",
        "B_IMAGE=host/b:2@sha256:x",
        "OWN=mine:1",
        "N=4",
    ]


def test_a_registry_that_does_not_answer_changes_nothing(tmp_path: Path) -> None:
    stand_in(tmp_path / "bin", "crane", "exit 1\n")
    file = tmp_path / "images.env"
    file.write_text("A_IMAGE=host/a:1.0\n")
    assert bash(DEPLOY / "pin_images.sh", file, first=tmp_path / "bin").returncode != 0
    assert file.read_text() == "A_IMAGE=host/a:1.0\n"
    assert os.listdir(tmp_path) == ["bin", "images.env"] or len(os.listdir(tmp_path)) == 2
