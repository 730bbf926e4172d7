#!/usr/bin/env bash
# The tracking server: reads its secrets from files, so that no command line and no compose file has
# one, then starts MLflow with authentication and one worker. The arguments are those of
# `mlflow server`.
set -euo pipefail
secrets=${SECRETS:-/run/secrets}

PGPASSWORD=$(<"$secrets/postgres_password")
read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY <"$secrets/storage_key"
MLFLOW_AUTH_ADMIN_PASSWORD=$(<"$secrets/mlflow_admin_password")
MLFLOW_FLASK_SERVER_SECRET_KEY=$(<"$secrets/mlflow_flask_key")
export PGPASSWORD AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
export MLFLOW_AUTH_ADMIN_PASSWORD MLFLOW_FLASK_SERVER_SECRET_KEY
# Jobs of the server are not used, and cost 2 GB; several workers make each call slower.
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
exec mlflow server --app-name basic-auth --workers 1 "$@"
