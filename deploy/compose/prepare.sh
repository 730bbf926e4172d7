#!/usr/bin/env bash
# What compose.yaml needs beside it: the secrets it names, and the folders of user 1000 that are mounted.
# What is there stays as it is.
set -euo pipefail
cd "$(dirname "$0")"

[[ -e .env ]] || cp example.env .env
for folder in "$(sed -n 's/^SHARED=//p' .env)" "$(sed -n 's/^OBJECTS=//p' .env)"; do
  mkdir -p "$folder"
  if [[ $(stat --format %u "$folder") != 1000 ]]; then
    chown 1000:1000 "$folder" || {
      echo "prepare.sh: $folder must belong to user 1000, as whom the containers run; run this as root once" >&2
      exit 1
    }
  fi
done

umask 077
mkdir -p secrets
chmod 700 secrets
random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
key() { echo "mrisweep $(random 24)"; }
account() {
  printf '[mlflow]\nmlflow_tracking_username = sweeps\nmlflow_tracking_password = %s\n' "$(random 24)"
}

# keep NAME COMMAND...: writes what the command prints to secrets/NAME, if that is not there. Containers
# of several users read the files; on this machine the folder's mode keeps all others out.
keep() {
  local name=$1
  shift
  if [[ ! -e secrets/$name ]]; then
    "$@" >"secrets/.$name"
    chmod 444 "secrets/.$name"
    mv "secrets/.$name" "secrets/$name"
  fi
}

keep ray_token random 32
keep postgres_password random 24
keep storage_key key
keep mlflow_admin_password random 24
keep mlflow_flask_key random 32
keep mlflow_credentials account
