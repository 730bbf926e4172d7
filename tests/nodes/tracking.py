"""A tracking server with a password, on PostgreSQL where there is one."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from tests.nodes.world import OUTSIDE, wait_for

PORT, DATABASE_PORT = 5000, 5432
USER, PASSWORD = "admin", "a-password-of-the-test"


@dataclass(frozen=True)
class Server:
    """A tracking server.

    Attributes:
        uri: Its address.
        environment: What a client needs to be let in.
        told: What it is, in words.

    """

    uri: str
    environment: dict[str, str]
    told: str


def start_server(scratch: Path, python: str) -> Server:
    """Start MLflow, with what is there: PostgreSQL or sqlite, a password or none.

    Args:
        scratch: A folder for its files.
        python: An interpreter that has MLflow; with psycopg for PostgreSQL and Flask-WTF for a
            password (``mlflow[auth]``).

    """
    folder = scratch / "tracking"
    folder.mkdir()
    database, kind = _database(folder, python)
    guarded = _has(python, "flask_wtf")
    command = [python, "-m", "mlflow", "server", "--workers", "1"]
    command += ["--host", OUTSIDE, "--port", str(PORT), "--allowed-hosts", f"{OUTSIDE}:{PORT}"]
    command += ["--backend-store-uri", database, "--artifacts-destination", str(folder / "files")]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    secret = {"MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": PASSWORD}
    if guarded:
        command += ["--app-name", "basic-auth"]
        environment["MLFLOW_AUTH_ADMIN_PASSWORD"] = PASSWORD
        environment["MLFLOW_FLASK_SERVER_SECRET_KEY"] = PASSWORD
    with (folder / "server.log").open("wb") as said:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)
    health = ["curl", "--silent", "--fail", f"http://{OUTSIDE}:{PORT}/health"]
    wait_for(lambda: not subprocess.run(health, capture_output=True).returncode, "MLflow", server)
    lock = "asks for a password" if guarded else "open to all, as Flask-WTF is not installed"
    return Server(f"http://{OUTSIDE}:{PORT}", secret if guarded else {}, f"{kind}, {lock}")


def _has(python: str, module: str) -> bool:
    return not subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode


def _database(folder: Path, python: str) -> tuple[str, str]:
    programs = [shutil.which("initdb"), *sorted(glob("/usr/lib/postgresql/*/bin/initdb"))]
    found = [Path(program).resolve() for program in programs if program]
    if not found:
        return f"sqlite:///{folder / 'mlflow.db'}", "sqlite, as PostgreSQL is not installed"
    if not _has(python, "psycopg"):
        return f"sqlite:///{folder / 'mlflow.db'}", f"sqlite, as {python} has no psycopg"
    bin_folder, data = found[-1].parent, folder / "postgresql"
    data.mkdir()
    for one in (folder, data):
        shutil.chown(one, "nobody", "nogroup")  # PostgreSQL does not run as root
    secret = folder / "database-password"
    secret.write_text(PASSWORD)
    as_nobody = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
    shutil.chown(secret, "nobody", "nogroup")
    guard = ["--username", USER, "--pwfile", str(secret), "--auth", "scram-sha-256"]
    making = [*as_nobody, str(bin_folder / "initdb"), "--pgdata", str(data), *guard]
    subprocess.run(making, check=True, capture_output=True)
    secret.unlink()
    running = [str(bin_folder / "postgres"), "-D", str(data), "-p", str(DATABASE_PORT)]
    with (folder / "postgresql.log").open("wb") as said:
        server = subprocess.Popen(
            [*as_nobody, *running, "-k", str(data), "-h", "127.0.0.1"], stdout=said, stderr=said
        )
    ready = [str(bin_folder / "pg_isready"), "-h", "127.0.0.1", "-p", str(DATABASE_PORT)]
    wait_for(
        lambda: not subprocess.run(ready, capture_output=True).returncode, "PostgreSQL", server
    )
    uri = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{DATABASE_PORT}/postgres"
    return uri, "PostgreSQL"
