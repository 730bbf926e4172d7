#!/bin/sh
# The object storage: serves /data by the s3 protocol, its first folders as buckets. The arguments are
# the buckets that must be there; the secret storage_key holds "KEY SECRET".
set -eu

for bucket in "$@"; do
  mkdir -p "${DATA:-/data}/$bucket"
done
# By environment: a command line is seen by every process. Releases differ in what they call it.
read -r ROOT_ACCESS_KEY ROOT_SECRET_KEY <"${SECRETS:-/run/secrets}/storage_key"
export ROOT_ACCESS_KEY ROOT_SECRET_KEY
export ROOT_ACCESS_KEY_ID="$ROOT_ACCESS_KEY" ROOT_SECRET_ACCESS_KEY="$ROOT_SECRET_KEY"
export PATH="$PATH:/app"
exec versitygw --port :9000 --health /health posix "${DATA:-/data}"
