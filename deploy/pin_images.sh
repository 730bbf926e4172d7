#!/usr/bin/env bash
# pin_images.sh FILE.env: adds its digest to every image of other projects that the file names by a
# tag, as the registry answers now. Needs docker with buildx, or crane.
set -euo pipefail

digest() {
  if command -v crane >/dev/null; then
    crane digest "$1"
  else
    docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}'
  fi
}

file=$1
made=$(mktemp "$file.XXXXXX")
trap 'rm -f "$made"' EXIT
while IFS= read -r line || [[ -n $line ]]; do
  if [[ $line =~ ^[A-Z]+_IMAGE=([^@[:space:]]+/[^@[:space:]]+:[^@[:space:]]+)$ ]]; then
    line="$line@$(digest "${BASH_REMATCH[1]}")"
  fi
  printf '%s\n' "$line"
done <"$file" >"$made"
chmod --reference="$file" "$made"
mv "$made" "$file"
trap - EXIT
