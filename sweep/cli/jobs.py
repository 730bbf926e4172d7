"""Sweeps as jobs of a cluster: ``submit``, ``status``, ``stop``."""

import argparse
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sweep.cli.base import Commands, add_sweep_file, command, note, room, say
from sweep.core.errors import UserError, WorkError

if TYPE_CHECKING:
    from sweep.api.jobs import Listed
    from sweep.cluster.jobs import Job, JobServer


def add_submit(commands: Commands) -> None:
    """``mrisweep submit``."""
    submit = command(
        commands,
        "submit",
        _do_submit,
        "run a sweep as a job of a Ray cluster, follow its log, end with its exit status",
        "The settings are resolved and checked here and travel with the job, data do not: paths "
        "are absolute, and as the cluster's nodes see them. The job is `mrisweep run --or-resume`. "
        "Ctrl-C ends the following, and not the job.",
    )
    add_sweep_file(submit, optional=True)
    submit.add_argument(
        "--out", metavar="DIR", help="the sweep's folder, on shared storage or in a bucket"
    )
    submit.add_argument(
        "--resume", metavar="DIR", help="go on with the sweep in this folder, instead of a file"
    )
    submit.add_argument(
        "--trials", type=int, default=0, metavar="N", help="with --resume: trials to add"
    )
    submit.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="with --resume: set or lift a limit, see `mrisweep resume`; may be repeated",
    )
    submit.add_argument(
        "--detach", action="store_true", help="print the job's id, and do not follow it"
    )
    submit.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME",
        help="an environment variable that the job gets as it is here, such as a password; Ray "
        "shows it to whoever has the cluster's token; may be repeated",
    )
    submit.add_argument(
        "--insecure",
        action="store_true",
        help="accept a cluster that asks nobody for a token: whoever reaches it can run anything "
        "on it",
    )
    _add_address(submit)


def _do_submit(options: argparse.Namespace) -> None:
    with_server = options.address, options.env, options.insecure
    if options.resume is not None:
        _refuse_both(options)
        more = ["--trials", str(options.trials)] if options.trials else []
        more += [word for limit in options.limit for word in ("--limit", limit)]
        from sweep.api import jobs

        submitted = jobs.submit_resume(options.resume, more, *with_server)
    else:
        _refuse_without(options)
        from sweep.config.sweep import SweepConfig

        config = SweepConfig.from_yaml(options.sweep, options.set)
        from sweep.api import jobs

        submitted = jobs.submit(config, options.out, *with_server)
    for line in submitted.notes:
        note(line)
    server, job_id = submitted.server, submitted.id
    say(f"job {job_id} is submitted to {server.address}")
    if options.detach:
        _say_how(server, job_id)
        print(job_id)
    else:
        _follow(server, job_id)


def _refuse_both(options: argparse.Namespace) -> None:
    if options.sweep is not None or options.out is not None or options.set:
        raise UserError(
            "--resume goes on with what a folder holds",
            "SWEEP.yaml, --out or --set with it",
            "leave these out, or leave --resume out: a folder that is there is gone on with",
        )


def _refuse_without(options: argparse.Namespace) -> None:
    if options.sweep is None or options.out is None:
        raise UserError(
            "a job needs a sweep file and a folder",
            "none" if options.sweep is None else "no --out",
            "give SWEEP.yaml and --out DIR, or --resume DIR, as the nodes see it",
        )
    if options.trials or options.limit:
        raise UserError(
            "--trials and --limit are for --resume",
            "a sweep file",
            "set search.trials or search.limits by --set",
        )


def add_status(commands: Commands) -> None:
    """``mrisweep status``."""
    status = command(
        commands,
        "status",
        _do_status,
        "say where a sweep stands; without a folder, list the jobs of mrisweep on a Ray cluster, "
        "and how far their sweeps are",
    )
    status.add_argument(
        "job", nargs="?", metavar="DIR|ID", help="the folder of a sweep, or the id of a job"
    )
    status.add_argument(
        "--follow",
        action="store_true",
        help="with ID: follow its log, and end with the exit status of its sweep",
    )
    status.add_argument("--json", action="store_true", help="a JSON list of objects")
    _add_address(status)


def _do_status(options: argparse.Namespace) -> None:
    if options.job is not None and _is_place(options.job):
        return _do_status_of_sweep(options)
    from sweep.api.jobs import jobs
    from sweep.cluster.jobs import JobServer

    if options.follow:
        if options.job is None or options.json:
            raise UserError("--follow is for one job", "no ID, or --json", "give ID alone")
        return _follow(JobServer(options.address), options.job)
    found = jobs(options.address, options.job)
    if options.json:
        print(json.dumps([one.plain() for one in found], indent=1))
    elif not found:
        say("the cluster has no job of mrisweep")
    else:
        _show(found)
        if options.job is not None and (message := found[0].job.message):
            print(f"\n{message}")
    return None


def _is_place(what: str) -> bool:
    """Whether a path or a URI is meant, and no job."""
    from sweep.remote.address import uri_of

    return os.sep in what or Path(what).is_dir() or uri_of(what) is not None


def _do_status_of_sweep(options: argparse.Namespace) -> None:
    """As `mrisweep watch --once`, which asks no cluster."""
    from sweep.api.watch import standing
    from sweep.results.standing_text import lines

    if options.follow or options.address is not None:
        raise UserError(
            "--follow and --address are for jobs of a cluster",
            f"the folder {options.job}",
            f"leave them out, or follow the sweep by `mrisweep watch {options.job}`",
        )
    found = standing(options.job)
    if options.json:
        print(json.dumps([found.plain()], indent=1))
    else:
        print("\n".join(lines(found, width=room())))


def _show(found: "list[Listed]") -> None:
    from sweep.core.text import MISSING, fitted_table

    header = ["id", "sweep", "state", "since", "trials", "folder"]
    rows = [
        [
            one.job.id,
            one.job.sweep,
            one.job.state
            + (f" ({one.job.exit_status})" if one.job.exit_status and one.job.is_over else ""),
            _when(one.job),
            "{}/{}".format(*one.trials) if one.trials else MISSING,
            one.job.folder,
        ]
        for one in found
    ]
    print(fitted_table(header, rows, ("since", "sweep", "folder"), room()))


def _when(job: "Job") -> str:
    """When it came to the state that it is in, by the clock of this machine."""
    at_ms = job.ended_at_ms or job.started_at_ms
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at_ms / 1000))


def add_stop(commands: Commands) -> None:
    """``mrisweep stop``."""
    stop = command(
        commands,
        "stop",
        _do_stop,
        "end a job of a Ray cluster in order, so that its sweep can be gone on with",
    )
    stop.add_argument("job", metavar="ID", help="see `mrisweep status`")
    _add_address(stop)


def _do_stop(options: argparse.Namespace) -> None:
    from sweep.cluster.jobs import JobServer

    server = JobServer(options.address)
    say(f"{options.job} is asked to end; Ray ends it by force if it takes longer than a minute")
    before, after = server.stop(options.job)
    if before.is_over:
        print(f"{before.id} had ended before: it {_how(before)}")
    else:
        print(f"{after.id} {_how(after)}")
    print(f"folder  {after.folder}, which keeps every epoch that was reported")
    if after.outcome:
        print(f"go on   mrisweep submit --resume {after.folder} --address {server.address}")


def _how(job: "Job") -> str:
    return "is stopped" if job.state == "stopped" else f"has {job.state}"


def _add_address(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--address",
        metavar="URL",
        help="of the cluster's dashboard, such as http://HEAD:8265 (default: "
        "RAY_API_SERVER_ADDRESS, RAY_ADDRESS, or that of this machine)",
    )


def _follow(server: "JobServer", job_id: str) -> None:
    """Print what a job writes until it ends, then end as its sweep has ended."""
    try:
        job = server.follow(job_id, _write)
    except KeyboardInterrupt:
        say(f"\n{job_id} goes on")
        _say_how(server, job_id)
        raise
    if job.outcome:
        _end_as(job, server)


def _write(text: str) -> None:
    print(text, end="", flush=True)


def _end_as(job: "Job", server: "JobServer") -> NoReturn:
    again = f"mrisweep submit --resume {job.folder} --address {server.address}"
    if job.outcome == 2:
        said = "see the last lines of its log, correct it, and submit it again"
        raise UserError("the sweep was refused", f"exit status 2 of {job.id}", said)
    if job.outcome == 1:
        status = "no exit status" if job.exit_status is None else f"exit status {job.exit_status}"
        unknown = ": the cluster has no command mrisweep" if job.exit_status == 127 else ""
        said = job.message or "no message"
        raise WorkError(
            f"the job has failed{unknown}",
            f"{status} of {job.id} ({said})",
            f"mend the cause; what was done is kept: {again}",
        )
    say(f"{job.id} {_how(job)}, and its sweep was interrupted; to go on: {again}")
    raise KeyboardInterrupt


def _say_how(server: "JobServer", job_id: str) -> None:
    say(f"to look again: mrisweep status {job_id} --follow --address {server.address}")
    say(f"to stop it:    mrisweep stop {job_id} --address {server.address}")
