#!/usr/bin/env bash
# driver.sh STATE COMMAND...: runs the command, and tells the batch script its process id and, when it
# has ended, its exit status, in files of the folder STATE.
set -uo pipefail
state=$1
shift

"$@" &
child=$!
trap 'kill -TERM "$child" 2>/dev/null' TERM
echo "$child" >"$state/driver.pid"
status=0
wait "$child" || status=$?
while kill -0 "$child" 2>/dev/null; do
  status=0
  wait "$child" || status=$?
done
rm -f "$state/driver.pid"
echo "$status" >"$state/status.part" && mv "$state/status.part" "$state/status"
exit "$status"
