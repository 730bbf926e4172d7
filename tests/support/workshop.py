"""A place in which what the documents say can be typed: their files in small, and what it lacks."""

import copy
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import yaml
from PIL import Image

from sweep.config.reading import load_yaml
from tests.support.data import ROOT
from tests.support.documents import Block, lines
from tests.support.layouts import mrnet
from tests.support.series import write_slice

# What a document's part of a sweep file leaves to the reader.
REST: Mapping[str, Any] = {
    "name": "part",
    "data": {"store": "store.h5", "train": [1, 2, 3], "validation": [4], "test": [5]},
    "search": {"trials": 12, "space": {"model.norm": {"choice": ["batch", "group", "layer"]}}},
}

# The user's own network and dataset that documents speak of.
OWN_PACKAGE = {
    "nets.py": "from tests.support.networks import Own as Small\n",
    "data.py": """\
from tests.support.datasets import Large


class Brain(Large):
    def __init__(self, root):
        super().__init__(items=60)
""",
}

# Documents that are typed from top to bottom, in one place; of others each block by itself.
IN_ORDER = ("README.md", "docs/tutorial.md")

# What the Python of a document takes for granted.
PRELUDES = {
    "docs/artifacts.md": """\
import math
import torch
x, keys, labels = torch.rand(1, 64, 64), ["patient-17/slice-4"], torch.zeros(1)
samples = torch.randn(1, 2, 640, 400, dtype=torch.complex64)
import artifacts_sim
art, bound, step = artifacts_sim.get("bias"), 2.0, 0.1
knob = torch.full((1,), 1.0, requires_grad=True)
model, loss = None, lambda model, images, labels: images.square().mean()
""",
    "docs/data.md": "import torch\n",
    "docs/extending.md": """\
from dataclasses import dataclass
from typing import ClassVar
from torch import Tensor, nn
from artifacts_sim import Artifact, Knob
from artifacts_sim.acquisition.operators import PixelOperator, Stage
from mrimodels.norms.variant import Norm
from sweep.metrics.functions import auroc
from sweep.metrics.table import Metric
Draws = Frame = Signal = object
""",
    "docs/mlflow.md": "import mlflow\n",
    "docs/networks.md": "from torch import nn\n",
}


@dataclass(frozen=True)
class Excuse:
    """Why lines of a document are only read, and not typed.

    Attributes:
        page: Of these documents: the path, or that of their folder.
        begins: Lines of shell blocks, and other blocks as a whole, that begin so.
        why: What they would need, or do.

    """

    page: str
    begins: str
    why: str

    def holds(self, block: Block, text: str) -> bool:
        """Whether it is for this line of the block."""
        return block.page.startswith(self.page) and text.lstrip().startswith(self.begins)


EXCUSES = (
    Excuse("README.md", "make test", "is what runs this"),
    Excuse("CONTRIBUTING.md", "make", "make the environment, or run these tests"),
    Excuse("docs/tutorial.md", ". .venv", "the packages are those of the environment of the tests"),
    Excuse("docs/tutorial.md", "pip", "it has them already"),
    Excuse("docs/models.md", "pip", "it has them already"),
    Excuse("docs/bucket.md", "mrisweep", "a bucket; tests/sweep/cluster/test_bucket.py has one"),
    Excuse("docs/cluster.md", "mrisweep submit", "a cluster; test_jobs.py has one"),
    Excuse("docs/cluster.md", "mlflow server", "PostgreSQL and a bucket"),
    Excuse("docs/cluster.md", "cluster:\n  trial:", "GPUs"),
    Excuse("docs/data.md", "[train", "how folders lie"),
    Excuse("docs/data.md", "labels:", "findings of fastMRI+"),
    Excuse("docs/jobs.md", "", "a cluster; test_job_server.py has one"),
    Excuse("docs/mlflow.md", "model = ", "the id of a model of the user's"),
    Excuse("docs/mlflow.md", "mlflow models serve", "the id of a model of the user's"),
    Excuse("docs/mlflow.md", "curl", "that server"),
    Excuse("docs/networks.md", "model: {arch: resnet18, norm: keep, weights", "a user's weights"),
    Excuse("docs/notify.md", "notify:", "a command of the user's"),
    Excuse("docs/notify.md", '{"text"', "is what is sent, and not typed"),
    Excuse("docs/notify.md", "jq", "is a command of the user's, for a chat"),
    Excuse("docs/notify.md", "1:45", "a terminal; tests/sweep/terminal has one"),
    Excuse("docs/performance.md", "whole sweep", "other seconds; test_check.py has the words"),
    Excuse("docs/notify.md", "brain-norms", "a sweep that runs, on another machine"),
    Excuse("docs/presets.md", "mrisweep run madaan2023 --set data.store=knee.h5   #", "300 trials"),
    Excuse("docs/search.md", "pip", "a package that shows journals"),
    Excuse("docs/search.md", "optuna-dashboard", "that package, a server until Ctrl-C"),
    Excuse("docs/results.md", "mrisweep run", "thirty trials; `make study-brain` has more of them"),
    Excuse("docs/results.md", "mrisweep best", "that sweep"),
    Excuse("docs/results.md", "name: lgg-norms", "the study's data"),
    Excuse("deploy/", "", "containers, Kubernetes, SLURM, or machines by ssh; see tests/deploy"),
)


def excused(block: Block, text: str) -> Excuse | None:
    """Why a line of a block is not typed; None if it is."""
    return next((excuse for excuse in EXCUSES if excuse.holds(block, text)), None)


def parts(block: Block) -> list[str]:
    """What is typed, or excused, of a block: the lines of the shell, or all of it."""
    return [line.text for line in lines(block)] if block.kind == "sh" else [block.text]


def whole_sweep(part: Mapping[str, Any]) -> dict[str, Any]:
    """A sweep file with the part in it, and the rest as small as it can be."""
    if "name" in part:
        return dict(part)
    whole = _merged(copy.deepcopy(REST), part)  # what is set in it then is not set in the rest
    if "arms" in whole["search"]:  # they take the norm's place
        del whole["search"]["space"]["model.norm"]
    return whole


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**below, **above}
    for name in below.keys() & above.keys():
        if isinstance(below[name], Mapping) and isinstance(above[name], Mapping):
            merged[name] = _merged(below[name], above[name])
    return merged


def furnish_package(folder: Path) -> None:
    """Put the user's own package into a folder."""
    (folder / "my_package").mkdir()
    for name, text in {"__init__.py": "", **OWN_PACKAGE}.items():
        (folder / "my_package" / name).write_text(text, encoding="utf-8")


class Workshop:
    """Clones of the project, and programs on the path under the names that documents type.

    Args:
        folder: An empty folder for all of it.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = {
            "mrisweep": '-c "from sweep.cli import command_line; command_line()"',
            "python": "",
            "python3": "",
            "mlflow": "-m tests.support.answering mlflow",
        }
        (folder / "bin").mkdir(parents=True)
        for name, arguments in programs.items():
            self._program(name, f'exec {shlex.quote(sys.executable)} {arguments} "$@"')
        # The environment of the tests in the place of the one that `make` would install.
        installed = f"VENV={folder} -o {folder}/.installed"
        self._program("make", f'exec {shutil.which("make")} {installed} "$@"')
        (folder / ".installed").touch()

    def _program(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def clone(self, name: str, furniture: Path | None = None) -> Path:
        """A fresh clone of the project, with files of the user's beside those that are in it."""
        made = self.folder / name
        left_out = shutil.ignore_patterns(
            ".*", "build", "dist", "demo", "sweeps", "studies", "*.h5", "__pycache__", "*.egg-info"
        )
        shutil.copytree(ROOT, made, ignore=_at_the_top(left_out))
        if furniture is not None:
            shutil.copytree(furniture, made, dirs_exist_ok=True)
        return made

    def type(self, where: Path, script: str, patience_s: float = 1800) -> str:
        """Type a script into bash; what came out, on both streams.

        Raises:
            AssertionError: A command failed; with all that came out.

        """
        done = subprocess.run(
            ["bash", "-eo", "pipefail"],
            input=script,
            cwd=where,
            env={
                **{key: value for key, value in os.environ.items() if "RAY_" not in key},
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=patience_s,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        return done.stdout


def _at_the_top(ignore: Any) -> Any:
    """Leave out by name what lies in the root of the project, and caches anywhere."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        found: set[str] = ignore(folder, names)
        return found if Path(folder) == ROOT else found & {"__pycache__"}

    return left_out


FURNISH = """
mrisweep phantom --out phantom --patients 40 --findings four
mkdir singlecoil_train singlecoil_val
mv phantom/volumes/phantom-003* singlecoil_val
mv phantom/volumes/* singlecoil_train
mv phantom/images phantom/manifest.csv .
mv phantom/labels.csv knee.csv
mv phantom/file_list.csv knee_file_list.csv
echo file,patient,site > TABLE.csv
ls singlecoil_train singlecoil_val | sed -n 's/.*h5/&,of &,A/p' >> TABLE.csv
mkdir -p fastmri-plus/Annotations
cp knee.csv knee_file_list.csv fastmri-plus/Annotations
rm -r phantom
KNEES="--labels knee.csv --reviewed knee_file_list.csv --rule madaan2023"
mrisweep ingest fastmri singlecoil_train singlecoil_val $KNEES --size 32 --out store.h5
mrisweep ingest fastmri singlecoil_val $KNEES --size 32 --out new.h5
mrisweep ingest fastmri singlecoil_train singlecoil_val $KNEES --kspace \
  --patients TABLE.csv --columns site \
  --shares train=.7 validation=.15 test=.15 --out knee.h5
cat > sweep.yaml <<'YAML'
name: first
data: {store: store.h5, train: [1, 2, 3], validation: [4], test: [5]}
model: {width: 4}
search:
  trials: 6
  space:
    model.norm: {choice: [batch, group, layer]}
    train.lr: {log: [1.0e-4, 1.0e-2]}
train: {epochs: 3}
stress: {artifacts: [rician, motion], levels: [1, 3]}
YAML
mrisweep run sweep.yaml --out sweeps/one
mrisweep run sweep.yaml --out sweeps/other --set search.trials=3 \
  --set stress.grid=sweeps/one/levels.json
"""


def furnish(workshop: Workshop) -> Path:
    """What documents have lying there: stores, tables, files of volumes, two finished sweeps."""
    folder = workshop.folder / "furniture"
    folder.mkdir()
    furnish_package(folder)
    mrnet(folder / "MRNet-v1.0")
    generator = np.random.default_rng(0)
    rows = ["file,label,patient"]
    participants = ["participant_id\tsex\tgroup"]
    studies = ["study_id,spinal_canal_stenosis_l4_l5"]
    cases = ["BraTS21ID,MGMT_value"]
    for number in range(10):
        volume = generator.integers(0, 900, (24, 32, 4)).astype(np.uint16)
        (folder / "nifti").mkdir(exist_ok=True)
        (folder / "dicom" / f"p{number}").mkdir(parents=True)
        image = nibabel.Nifti1Image(volume.astype(np.int16), np.eye(4))
        nibabel.save(image, folder / "nifti" / f"p{number}.nii")
        anatomical = folder / "ds000001" / f"sub-{number}" / "anat"
        anatomical.mkdir(parents=True)
        nibabel.save(image, anatomical / f"sub-{number}_T1w.nii.gz")
        participants.append(f"sub-{number}\tF\t{('patient', 'control')[number % 2]}")
        studies.append(f"p{number},{('Severe', 'Normal/Mild')[number % 2]}")
        cases.append(f"p{number},{number % 2}")
        mask = np.zeros(volume.shape, np.uint8)
        mask[4:16, 4:16, 1], mask[6:12, 6:12, 1], mask[8, 8, 2] = 2, 1, 4
        nibabel.save(nibabel.Nifti1Image(mask, np.eye(4)), folder / "nifti" / f"p{number}-seg.nii")
        for place in range(4):
            path = folder / "dicom" / f"p{number}" / f"{place}.dcm"
            write_slice(path, volume[:, :, place], f"p{number}", place)
        label = ("tear", "cyst")[number % 2]
        (folder / "classes" / label).mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray((volume[:, :, 0] // 4).astype(np.uint8))
        picture.save(folder / "classes" / label / f"patient_{number}.png")
        rows.append(f"p{number},{label},p{number}")
    (folder / "series.csv").write_text("\n".join(rows), encoding="utf-8")
    volumes = [re.sub(r"^(p\d)", r"\1.nii", row) for row in rows]
    (folder / "volumes.csv").write_text("\n".join(volumes), encoding="utf-8")
    (folder / "ds000001" / "participants.tsv").write_text("\n".join(participants))
    (folder / "train.csv").write_text("\n".join(studies), encoding="utf-8")
    (folder / "train_labels.csv").write_text("\n".join(cases), encoding="utf-8")
    masked = [f"p{number}.nii,p{number}-seg.nii,p{number}" for number in range(10)]
    (folder / "masked.csv").write_text("\n".join(["file,mask,patient", *masked]), encoding="utf-8")
    workshop.type(folder, FURNISH)
    pictures = (folder / "manifest.csv").read_text(encoding="utf-8").splitlines()[1:]
    boxes = [f"{row.split(',')[0]},4,4,6,6,lesion" for row in pictures[::3]]
    table = "\n".join(["file,x,y,width,height,label", *boxes])
    (folder / "boxes.csv").write_text(table, encoding="utf-8")
    return folder


def clear(folder: Path, block: Block) -> None:
    """Remove what the block makes by itself, as it is made anew."""
    typed = [line for line in lines(block) if not excused(block, line.text)]
    for words in (words for line in typed for words in line.ours()):
        for option, value in pairwise(words):
            made = folder / value
            if option == "--out" and made.is_dir():
                shutil.rmtree(made)
            elif option == "--out":
                made.unlink(missing_ok=True)


def script(block: Block, prelude: str = "") -> str:
    """What is typed of a block: lines of the shell; Python as a script; a sweep file checked."""
    if block.kind == "sh":
        return "".join(_typed(block, line.text) for line in lines(block))
    if excused(block, block.text):
        return _typed(block, block.text)
    if block.kind == "python":
        return _given("python -", prelude + block.text)
    if block.kind == "yaml" and "labels" not in load_yaml(block.text):
        whole = yaml.safe_dump(whole_sweep(load_yaml(block.text)))
        return _given("cat > part.yaml", whole) + "mrisweep check part.yaml\n"
    return ""


def _typed(block: Block, text: str) -> str:
    excuse = excused(block, text)
    return f"echo {shlex.quote(f'not typed: {excuse.why}')}\n" if excuse else f"{text}\n"


def _given(command: str, text: str) -> str:
    return f"{command} <<'END'\n{text}END\n"


def alike(text: str) -> str:
    """A line of what came out without what differs from machine to machine: numbers and norms."""
    plain = re.sub(r"\d+(\.\d+)?(e-?\d+)?", "0", re.sub(r"\b(batch|group|layer)\b", "norm", text))
    return " ".join(re.sub(r"[-+](?=0)", "", plain).split())


def missing(shown: Block, said: str) -> Sequence[str]:
    """Lines that a document shows and that did not come out, numbers and norms aside."""
    come = [alike(line) for line in said.splitlines()]
    return [line for line in shown.text.splitlines() if not any(alike(line) in one for one in come)]
