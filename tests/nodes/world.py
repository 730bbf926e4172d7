"""A small network of machines inside this one, which ends with the process that began it.

Everything happens in a network, mount and process namespace of its own: whatever becomes of it,
also by Ctrl-C or kill -9, no process, address or mount is left, and no Ray but this one is touched.
Linux, as root, with `ip` (iproute2) and `unshare` (util-linux).
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

INSIDE = "MRISWEEP_WORLD"
NETWORK = "10.77.0"
OUTSIDE = f"{NETWORK}.254"  # of what belongs to no node, such as a tracking server
PATIENCE_S = 300.0
NAMESPACES = ("--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
# What a node does before its own command: its name, its network, what it does not see.
BEGIN = """
hostname {name}
mount -t tmpfs none /tmp/ray
ip link set lo up
until ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done
ip address add {address}/24 dev eth0
ip link set eth0 up
for folder in {hidden}; do mount -t tmpfs none "$folder"; done
exec {command}
"""


def enter(module: str, arguments: Sequence[str]) -> None:
    """Return inside the world; outside, begin it, run the module in it, and exit as that does."""
    if INSIDE in os.environ:
        Path("/tmp/ray").mkdir(exist_ok=True)
        _run("mount", "-t", "tmpfs", "none", "/tmp/ray")  # where Ray keeps its sessions
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", "switch", "type", "bridge")
        _run("ip", "address", "add", f"{OUTSIDE}/24", "dev", "switch")
        _run("ip", "link", "set", "switch", "up")
        return
    missing = [tool for tool in ("ip", "unshare") if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        sys.exit(f"namespaces need root, ip and unshare; missing: {', '.join(missing) or 'root'}")
    command = ["unshare", *NAMESPACES, sys.executable, "-m", module, *arguments]
    os.execvpe(command[0], command, {**os.environ, INSIDE: "1"})


@dataclass
class Machine:
    """A machine of the network, by its one process and all that this began."""

    name: str
    address: str
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """Pull the plug: every process of it dies at once."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def machine(
    number: int,
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    hidden: Sequence[Path] = (),
) -> Machine:
    """Start a machine that runs one command.

    Args:
        number: The last part of its address; free, or that of a machine that was killed.
        name: Its host name.
        command: What it runs.
        environment: The variables of that.
        log: Where it says what it has to say.
        hidden: Folders that are empty on it.

    """
    address = f"{NETWORK}.{number}"
    script = BEGIN.format(
        name=name,
        address=address,
        hidden=" ".join(shlex.quote(str(folder)) for folder in hidden),
        command=shlex.join(command),
    )
    cable = f"to-{number}"  # of a machine that was killed it is gone a moment later
    there = ["ip", "link", "show", cable]
    wait_for(
        lambda: subprocess.run(there, capture_output=True).returncode, f"the end of the last {name}"
    )
    own = os.readlink("/proc/self/ns/net")
    with log.open("ab") as said:
        process = subprocess.Popen(
            ["unshare", *NAMESPACES, "bash", "-c", script],
            env=dict(environment),
            stdout=said,
            stderr=said,
        )
    wait_for(lambda: os.readlink(f"/proc/{process.pid}/ns/net") != own, f"the network of {name}")
    peer = ("peer", "name", "eth0", "netns", str(process.pid))
    _run("ip", "link", "add", cable, "type", "veth", *peer)
    _run("ip", "link", "set", cable, "master", "switch", "up")
    return Machine(name, address, process)


def wait_for(
    holds: Callable[[], object], what: str, process: subprocess.Popen[bytes] | None = None
) -> None:
    """Wait until something holds; exit with what it was where it does not come to be.

    Args:
        holds: Asked time and again.
        what: That, in words.
        process: Has to go on meanwhile; None: none has to.

    """
    until = time.monotonic() + PATIENCE_S
    while not holds():
        if process is not None and process.poll() is not None:
            sys.exit(f"waited for {what}; its process ended with {process.returncode}")
        if time.monotonic() > until:
            sys.exit(f"waited {PATIENCE_S:g} s for {what}, in vain")
        time.sleep(0.1)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
