# What both batch scripts share; they source it. Nothing here is of a site: the settings are.
# shellcheck shell=bash

# Where this job keeps what its processes tell each other: beside its log, for its user alone.
prepare() {
  state=$SLURM_SUBMIT_DIR/.mrisweep-$SLURM_JOB_ID
  (umask 077 && mkdir -p "$state")
  rm -f "$state/status" "$state/driver.pid"
  # A token of this job's own: Ray's ports answer on every interface, to whoever reaches the node.
  [[ -s $state/token ]] || (umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$state/token")
  export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$state/token RAY_USAGE_STATS_ENABLED=0
  # shellcheck disable=SC2034  # of those that source this
  head_ip=${MRISWEEP_HEAD_IP:-$(hostname -I | cut -d' ' -f1)} # the batch script runs on the first node
  interrupted=no
  trap interrupt TERM USR1
}

# Slurm's word before the time limit, or before a preemption: the sweep ends in order.
interrupt() {
  interrupted=yes
  echo "mrisweep: interrupted; the sweep writes what it has"
  if [[ -s $state/driver.pid ]]; then
    kill -TERM "$(<"$state/driver.pid")" 2>/dev/null || true
  fi
}

# wait_for PID: waits to its end, through the signals that come meanwhile.
wait_for() {
  local status=0
  wait "$1" || status=$?
  while kill -0 "$1" 2>/dev/null; do
    status=0
    wait "$1" || status=$?
  done
  return "$status"
}

# until_done STEP: waits for the sweep's end, then a little for the step that it ran in. The workers' Ray
# notices a minute later that its head is gone, which a job near its time limit does not have.
until_done() {
  local step=$1 left=${MRISWEEP_GRACE:-20}
  while kill -0 "$step" 2>/dev/null && ((left > 0)); do
    sleep 1
    if [[ -s $state/status ]]; then
      left=$((left - 1))
    fi
  done
  kill "$step" 2>/dev/null || true
  wait_for "$step" || true
}

# finish: what becomes of the job, by the exit status that driver.sh noted. It decides, as `ray
# symmetric-run` answers 0 where Ray never started.
finish() {
  local status=none
  if [[ -s $state/status ]]; then
    status=$(<"$state/status")
  fi
  case $status in
    0)
      rm -rf "$state"
      exit 0
      ;;
    2) # bad input stays bad
      rm -rf "$state"
      exit 2
      ;;
    130) again "it was interrupted" ;;
    none) again "Ray did not start, or its node was lost" ;;
    *) again "it ended with status $status" ;;
  esac
}

# again WHY: back into the queue under the same id, so often and no more.
again() {
  local restarts=${SLURM_RESTART_COUNT:-0} most=${MRISWEEP_RESTARTS:-20}
  if ((restarts >= most)); then
    echo "mrisweep: $1, for the ${restarts}th time; not queued again. The sweep's folder can be resumed." >&2
    exit 1
  fi
  if [[ $interrupted == no ]]; then
    sleep "${MRISWEEP_PAUSE:-60}" # what failed at once would fail again at once
  fi
  echo "mrisweep: $1; queued again (restart $((restarts + 1)) of at most $most)"
  trap 'exit 1' TERM USR1
  scontrol requeue "$SLURM_JOB_ID"
  sleep 120 & # Slurm ends this script before
  wait
  exit 1
}
