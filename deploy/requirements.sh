#!/usr/bin/env bash
# Writes the pinned requirements of the images anew: every version and every hash that a build may
# use, from pyproject.toml and constraints.txt. `make requirements` calls it with uv on PATH.
#
# TORCH_CPU says where the CPU build of torch is read from: by default PyTorch's own index.
# Without a way there: TORCH_CPU="--find-links FOLDER" with its wheel in FOLDER.
set -euo pipefail
cd "$(dirname "$0")/.."

wheels=https://download.pytorch.org/whl/cpu
read -ra torch_cpu <<<"${TORCH_CPU:---index $wheels --index-strategy unsafe-best-match}"
torch=$(sed -n 's/^torch==//p' constraints.txt)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# write NAME ARGUMENT...: compiles deploy/requirements-NAME.txt, which appears whole or not at all.
write() {
  local name=$1 made=$scratch/made.txt
  shift
  {
    echo "# Made by \`make requirements\`; Python 3.11, Linux on x86_64. Edit pyproject.toml or"
    echo "# constraints.txt instead. Install with: pip install --require-hashes -r THIS-FILE"
    uv pip compile --quiet --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
      --generate-hashes --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
      --constraint constraints.txt "$@" |
      sed "s|^torch==\(.*\)+cpu |torch @ $wheels/torch-\1%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl |"
  } >"$made"
  mv "$made" "deploy/requirements-$name.txt"
}

# By its address, so that no second index can offer any other package in PyPI's place.
echo "torch==$torch+cpu" >"$scratch/override.txt"
write cpu pyproject.toml --extra export --extra search --override "$scratch/override.txt" "${torch_cpu[@]}"
# The wheel of torch on PyPI is the CUDA build, and brings CUDA's own libraries as packages.
write cuda pyproject.toml --extra export --extra networks --extra search
write mlflow deploy/requirements-mlflow.in
