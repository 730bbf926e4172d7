"""Processes of this machine, known by what they were started with."""

import http.client
import re
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

PROC = Path("/proc")
# Ray's programs that serve metrics, and nothing else, to whoever reaches them.
OF_METRICS = ("ray::DashboardAgent", "/dashboard/dashboard.py", "/_private/monitor.py")


def started_with(variable: str, value: str) -> list[int]:
    """The processes that have a variable in the environment that they were started with."""
    wanted = f"{variable}={value}".encode()
    found = []
    for entry in PROC.glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return sorted(found)


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that these have, and so on."""
    children: dict[int, list[int]] = {}
    for entry in PROC.glob("[0-9]*"):
        with suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found, left = [], [pid]
    while left:
        left = [child for one in left for child in children.get(one, ())]
        found += left
    return found


def environment(pid: int) -> dict[str, str]:
    """What a process was started with; empty where it has ended."""
    with suppress(OSError):
        raw = (PROC / str(pid) / "environ").read_text(errors="replace").split("\0")
        return dict(line.partition("=")[::2] for line in raw if "=" in line)
    return {}


def title(pid: int) -> str:
    """What a process is called: its command, or what it calls itself; empty where it has ended."""
    with suppress(OSError):
        text = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ")
        return text.decode(errors="replace").strip()
    return ""


def lives(pid: int) -> bool:
    """Whether a process is there; one that is dead and not asked for is not."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def titled(pids: list[int], pattern: str) -> list[int]:
    """Those whose title begins with what a pattern says."""
    return [pid for pid in pids if re.match(pattern, title(pid))]


def listening(pids: list[int]) -> Iterator[tuple[int, str, int]]:
    """(Process, address, port) of every TCP port that some processes listen on."""
    at = {}
    for family, words in (("tcp", 1), ("tcp6", 4)):
        for line in (PROC / "net" / family).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":  # LISTEN
                address, port = fields[1].split(":")
                at[f"socket:[{fields[9]}]"] = (_address(address, words), int(port, 16))
    for pid in pids:
        with suppress(OSError):
            for entry in (PROC / str(pid) / "fd").iterdir():
                with suppress(OSError):
                    if (name := str(entry.readlink())) in at:
                        yield pid, *at[name]


def answer(address: str, port: int, page: str = "/metrics") -> bytes | None:
    """A page that is asked for without a token; None: it is refused, or there is none."""
    connection = http.client.HTTPConnection(address, port, timeout=5)
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("GET", page)
        given = connection.getresponse()
        return given.read() if given.status == 200 else None
    return None


def _address(text: str, words: int) -> str:
    """As the kernel has it, words of 32 bits in the order of this machine."""
    raw = b"".join(bytes.fromhex(text[8 * at : 8 * at + 8])[::-1] for at in range(words))
    mapped = words == 4 and raw[:12] == bytes(10) + b"\xff\xff"
    return ".".join(map(str, raw[12:] if mapped else raw)) if words == 1 or mapped else raw.hex()
