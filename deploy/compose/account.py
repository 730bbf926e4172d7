"""Makes the MLflow account that sweeps write with: ``account.py URL``; one that is there stays."""

import configparser
import os
import sys
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.server.auth.client import AuthServiceClient

SECRETS = Path(os.environ.get("SECRETS", "/run/secrets"))


def main(url: str) -> None:
    """Make the account that ``~/.mlflow/credentials`` names, as the server's administrator."""
    credentials = configparser.ConfigParser()
    credentials.read(Path.home() / ".mlflow" / "credentials")
    account = credentials["mlflow"]
    os.environ["MLFLOW_TRACKING_USERNAME"] = "admin"
    os.environ["MLFLOW_TRACKING_PASSWORD"] = (SECRETS / "mlflow_admin_password").read_text()
    name, password = account["mlflow_tracking_username"], account["mlflow_tracking_password"]
    try:
        AuthServiceClient(url).create_user(name, password)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    print(f"the account {name!r} is there")


if __name__ == "__main__":
    main(sys.argv[1])
