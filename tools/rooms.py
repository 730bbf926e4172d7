"""The rooms of this project, bottom to top, and whether the imports keep to them.

    python tools/rooms.py                 # files, rooms, arrows, the biggest room; broken rules
    python tools/rooms.py --root OLD      # the same counts for another checkout
    python tools/rooms.py --table         # the table of docs/architecture.md

A room imports itself and the rooms below it. A heavy package is imported where it is named. A
module belongs to the room with its longest prefix, and every module belongs to one.
"""

import argparse
import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("artifacts_sim", "mrimodels", "sweep")
HEAVY = {
    *("ray", "optuna", "mlflow", "pyarrow", "pydantic", "matplotlib", "torch", "yaml", "rich"),
    *("h5py", "PIL", "nibabel", "pydicom", "SimpleITK", "openpyxl", "tensorboard"),
    *("onnx", "onnxscript", "onnxruntime"),
    *("vl_convert", "jinja2", "shtab"),
    *("torchvision", "timm", "monai", "safetensors"),  # imported by name, when a network asks
}


@dataclass(frozen=True)
class Room:
    """One room.

    Attributes:
        name: The name of the package, or of the group of modules.
        heavy: For each heavy package the modules that may import it, by prefix.
        modules: Prefixes of what belongs to it; by default the package of its name.
        what: What belongs there; by default the first paragraph of the package's docstring.

    """

    name: str
    heavy: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    what: str = ""

    def prefixes(self) -> tuple[str, ...]:
        """What belongs to it."""
        return self.modules or (self.name,)

    def text(self, root: Path = ROOT) -> str:
        """What belongs there, in words, on one line."""
        if self.what:
            return self.what
        source = (root / Path(*self.name.split(".")) / "__init__.py").read_text(encoding="utf-8")
        docstring = ast.get_docstring(ast.parse(source)) or ""
        return " ".join(docstring.split("\n\n")[0].split())


ROOMS = (
    Room(
        "artifacts_sim: words",
        {
            "torch": tuple(
                map(
                    "artifacts_sim.{}".format,
                    ("checks", "levels", "limits", "noise", "params", "values"),
                )
            )
        },
        tuple(
            f"artifacts_sim.{name}"
            for name in (
                "errors",
                "catalogue",
                "values",
                "limits",
                "params",
                "keyed",
                "noise",
                "levels",
                "checks",
            )
        ),
        "Errors, names, parameters, keyed draws, noise, levels and checks of the artifacts.",
    ),
    Room("artifacts_sim.acquisition", {"torch": ("artifacts_sim.acquisition",)}),
    Room(
        "artifacts_sim.base",
        {"torch": ("artifacts_sim.base",)},
        what="What an artifact is: draw plain parameters, then make an operator of them.",
    ),
    Room("artifacts_sim.kinds", {"torch": ("artifacts_sim.kinds",)}),
    Room("artifacts_sim.calibration", {"torch": ("artifacts_sim.calibration",)}),
    Room(
        "artifacts_sim",
        {"torch": tuple(f"artifacts_sim.{name}" for name in ("several", "shifts", "transform"))},
    ),
    Room("mrimodels", {"torch": ("mrimodels",)}),
    Room("sweep.core"),
    Room("sweep.terminal", {"rich": ("sweep.terminal.live",)}),
    Room("sweep.remote", {"pyarrow": ("sweep.remote.bucket",)}),
    Room("sweep.metrics"),
    Room("sweep.stats"),
    Room(
        "sweep.config",
        {
            "pydantic": ("sweep.config.sweep", "sweep.config.messages"),
            "yaml": ("sweep.config.sweep", "sweep.config.reading"),
        },
    ),
    Room(
        "sweep.store",
        {
            "h5py": tuple(
                f"sweep.store.{name}"
                for name in ("checking", "layout", "mending", "reader", "writer")
            ),
            "PIL": ("sweep.store.digests",),
        },
    ),
    Room(
        "sweep.ingest.formats",
        {
            "PIL": (
                "sweep.ingest.formats.pixels",
                "sweep.ingest.formats.decoding",
                "sweep.ingest.formats.volumes.stack",
            ),
            "nibabel": (
                "sweep.ingest.formats.volumes.nifti",
                "sweep.ingest.formats.dicom.mosaic",
            ),
            "pyarrow": ("sweep.ingest.formats.sheet",),
            "openpyxl": ("sweep.ingest.formats.sheet",),
            "SimpleITK": ("sweep.ingest.formats.volumes.itk",),
            "pydicom": ("sweep.ingest.formats.dicom",),
        },
    ),
    Room("sweep.ingest"),
    Room(
        "sweep.ingest.fastmri",
        {"h5py": ("sweep.ingest.fastmri.volume", "sweep.ingest.fastmri.raw")},
    ),
    Room("sweep.ingest.presets"),
    Room("sweep.ingest.dataset"),
    Room("sweep.phantom", dict.fromkeys(("h5py", "PIL", "yaml"), ("sweep.phantom",))),
    Room("sweep.learn", {"torch": ("sweep.learn",)}),
    Room(
        "sweep.search",
        {
            "optuna": (
                "sweep.search.study",
                "sweep.search.journal",
                "sweep.search.searcher",
                "sweep.search.drawing",
                "sweep.search.samplers",
                "sweep.search.distributions",
            ),
            "ray": ("sweep.search.searcher", "sweep.search.scheduler"),
        },
    ),
    Room(
        "sweep.results",
        {
            "pyarrow": (
                "sweep.results.tables",
                "sweep.results.summary_table",
                "sweep.results.flat",
                "sweep.results.slice_columns",
            ),
            "mlflow": ("sweep.results.mlflow",),
            "matplotlib": ("sweep.results.mlflow", "sweep.results.figures"),
        },
    ),
    Room(
        "sweep.portable",
        {"torch": ("sweep.portable",), "onnxruntime": ("sweep.portable.formats",)},
    ),
    Room(
        "sweep.inspect",
        {
            "PIL": ("sweep.inspect",),
            "torch": ("sweep.inspect.panels",),
        },
    ),
    Room(
        "sweep.report",
        {
            "vl_convert": ("sweep.report.drawing",),
            "jinja2": ("sweep.report.page",),
            "PIL": ("sweep.report.worst",),
            "torch": ("sweep.report.worst",),
        },
    ),
    Room("sweep.cluster", dict.fromkeys(("ray", "torch"), ("sweep.cluster",))),
    Room("sweep.api", {"torch": ("sweep.api",)}),
    Room("sweep.cli", {"torch": ("sweep.cli",), "shtab": ("sweep.cli.completion",)}),
    Room("sweep", what="The names for scripts (`import sweep`), and `python -m sweep`."),
)


def files(root: Path = ROOT) -> list[Path]:
    """Every module of the packages."""
    return sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))


def module_of(path: Path, root: Path = ROOT) -> str:
    """The dotted name of a module."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """Whatever a module imports, anywhere in it, by dotted name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def starts_with(name: str, prefix: str) -> bool:
    """Whether a dotted name is the prefix or lies below it."""
    return name == prefix or name.startswith(f"{prefix}.")


def room_of(name: str) -> int:
    """The place, from the bottom, of the room that a module belongs to."""
    fitting = [
        (len(prefix), place)
        for place, room in enumerate(ROOMS)
        for prefix in room.prefixes()
        if starts_with(name, prefix)
    ]
    return max(fitting)[1]


def broken(module: str, names: set[str]) -> set[str]:
    """Those of the imports of a module that the rooms do not allow."""
    place = room_of(module)
    wrong = set()
    for name in names:
        package = name.split(".")[0]
        if package in PACKAGES:
            wrong |= {name} if room_of(name) > place else set()
            # Neither of the two stand-alone packages knows the other.
            if package != "sweep" and not module.startswith(("sweep", package)):
                wrong.add(name)
        elif package in HEAVY:
            allowed = ROOMS[place].heavy.get(package, ())
            wrong |= set() if any(starts_with(module, one) for one in allowed) else {name}
    return wrong


def table(root: Path = ROOT) -> str:
    """The rooms for docs/architecture.md, the top one first."""
    lines = ["| room | what belongs there | heavy packages |", "|---|---|---|"]
    for room in reversed(ROOMS):
        heavy = ", ".join(_heavy(room, package) for package in room.heavy)
        lines.append(f"| `{room.name}` | {room.text(root)} | {heavy} |")
    return "\n".join(lines)


def _heavy(room: Room, package: str) -> str:
    where = [one.rpartition(".")[2] for one in room.heavy[package] if one != room.name]
    return f"{package} ({', '.join(f'`{one}`' for one in where)})" if where else package


@dataclass(frozen=True)
class Counts:
    """The size of a checkout, whatever its list of rooms.

    Here a room is a package directly in ``sweep``, a loose module there, or another package.
    """

    files: int
    rooms: int
    arrows: int
    biggest: str
    share: float

    def text(self) -> str:
        """One line."""
        return (
            f"{self.files} files, {self.rooms} rooms, {self.arrows} arrows, biggest room "
            f"{self.biggest} with {self.share:.0%} of the lines of sweep"
        )


def counts(root: Path) -> Counts:
    """Count files, rooms, arrows between rooms, and the lines of the biggest room of ``sweep``."""
    lines: dict[str, int] = {}
    arrows: set[tuple[str, str]] = set()
    found = files(root)
    known = {module_of(path, root) for path in found}
    for path in found:
        here = _counted_room(module_of(path, root))
        lines[here] = lines.get(here, 0) + len(path.read_text(encoding="utf-8").splitlines())
        for name in imported(path):
            if name.split(".")[0] in PACKAGES:
                module = name if name in known else name.rpartition(".")[0]
                arrows.add((here, _counted_room(module)))
    arrows = {(one, other) for one, other in arrows if one != other}
    own = {room: count for room, count in lines.items() if starts_with(room, "sweep")}
    biggest = max(own, key=lambda room: own[room])
    share = own[biggest] / sum(own.values())
    in_sweep = sum(path.relative_to(root).parts[0] == "sweep" for path in found)
    return Counts(in_sweep, len(lines), len(arrows), biggest, share)


def _counted_room(module: str) -> str:
    parts = module.split(".")
    return parts[0] if parts[0] != "sweep" else ".".join(parts[:2])


def problems() -> Iterator[str]:
    """A line for each import that breaks the rules."""
    for path in files():
        for name in sorted(broken(module_of(path), imported(path))):
            yield f"{path.relative_to(ROOT)} imports {name}, which its room does not allow"


def main() -> int:
    """Print what was asked for; 1 where a rule is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, help="count another checkout; its rules are not held")
    parser.add_argument("--table", action="store_true", help="the table of docs/architecture.md")
    options = parser.parse_args()
    if options.table:
        print(table())
        return 0
    print(counts(options.root or ROOT).text())
    found = [] if options.root else list(problems())
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
