"""A batch of damaged files, ingested among whole ones, and whether all went as it should."""

import contextlib
import io
import random
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from sweep.cli import main
from sweep.ingest.looking import Look, look
from sweep.inspect.verify import damaged_slices, description_is_whole
from sweep.store import Store
from tests.fuzz.damages import damaged
from tests.fuzz.reference import Question, compared
from tests.fuzz.samples import SIDE, Sample, dicom_bytes
from tests.support.series import dataset

WHOLE = ("whole0", "whole1")


@dataclass(frozen=True)
class Case:
    """A damaged sample.

    Attributes:
        name: Its own, also that of its folder and patient.
        family: One of ``FAMILIES``.
        sample: What was damaged.
        hit: The file of it.
        what: What was done.
        content: What the file holds now.

    """

    name: str
    family: str
    sample: Sample
    hit: str
    what: str
    content: bytes


@dataclass
class Verdict:
    """What became of a case.

    Attributes:
        case: Its name.
        kind: Its format.
        what: What was done.
        outcome: 'refused', 'same', or 'taken', where there is no reference.
        faults: What went wrong; none, as it should.
        remark: Where what is in the store is not what others read: in which way.
        said: Why it was left out.

    """

    case: str
    kind: str
    what: str
    outcome: str
    faults: list[str] = field(default_factory=list)
    remark: str = ""
    said: str = ""


def case_of(seed: str, number: int, family: str, samples: Sequence[Sample]) -> Case:
    """The case of a number; the same for the same seed."""
    rng = random.Random(f"{seed}/{family}/{number}")
    sample = rng.choice(samples)
    hit = rng.choice(sample.hit)
    what, content = damaged(hit, sample.files[hit], rng)
    return Case(f"c{number:07}", family, sample, hit, what, content)


def picture_of(number: int) -> np.ndarray:
    """(row, column) of a whole file, other than all samples."""
    return np.random.default_rng(77 + number).integers(0, 250, (SIDE, SIDE)).astype(np.uint8)


def whole_images() -> np.ndarray:
    """(2, row, column), of the two files beside the damaged ones."""
    return np.stack([picture_of(0), picture_of(1)])


def place(folder: Path, case: Case) -> str:
    """Write the files of a case; what a manifest names, below the folder."""
    own = folder / case.name
    own.mkdir()
    for name, content in case.sample.files.items():
        (own / file_name(case, name)).write_bytes(case.content if name == case.hit else content)
    return f"{case.name}/{file_name(case, case.sample.name)}" if case.sample.name else case.name


def file_name(case: Case, name: str) -> str:
    """fastMRI knows a volume by the name of its file alone."""
    return f"{case.name}.h5" if case.family == "fastmri" else name


def write_whole(folder: Path, family: str) -> list[str]:
    """Two files that nothing happened to."""
    names = []
    for name, image in zip(WHOLE, whole_images(), strict=True):
        if family == "images":
            named = f"{name}.png"
            Image.fromarray(image).save(folder / named)
        elif family == "volumes":
            named = f"{name}.npy"
            np.save(folder / named, image[None])
        elif family == "dicom":
            named = f"{name}.dcm"
            (folder / named).write_bytes(dicom_bytes(dataset(image, PixelSpacing=[2, 2])))
        else:
            named = f"{name}.h5"
            with h5py.File(folder / named, "w") as file:
                file["reconstruction_rss"] = image[None].astype(np.float32)
        names.append(named)
    return names


def command_of(folder: Path, cases: Sequence[Case], out: Path) -> list[str]:
    """Write all files; the command that ingests them."""
    files = folder / "files"
    files.mkdir()
    family = cases[0].family
    named = dict(zip(WHOLE, write_whole(files, family), strict=True))
    named.update((case.name, place(files, case)) for case in cases)
    end = ["--size", str(SIDE), "--workers", "1", "--out", str(out)]
    table = folder / "table.csv"
    if family != "fastmri":
        lines = [
            f"{name},{'xy'[number % 2]},{patient},{'ab'[number > 1]}"
            for number, (patient, name) in enumerate(named.items())
        ]
        table.write_text("\n".join(["file,label,patient,split", *lines]) + "\n")
        option = "--images" if family == "images" else "--volumes"
        return ["ingest", family, str(table), option, str(files), *end]
    lines = [f"{patient},{patient},{'ab'[number > 1]}" for number, patient in enumerate(named)]
    table.write_text("\n".join(["file,patient,group", *lines]) + "\n")
    labels = folder / "labels.csv"
    rows = [f"{name},0,No,1,1,5,5,Meniscus Tear" for name in named]
    head = "file,slice,study_level,x,y,width,height,label"
    labels.write_text("\n".join([head, *rows]) + "\n")
    given = ["--labels", str(labels), "--reviewed", "all", "--patients", str(table)]
    return ["ingest", "fastmri", str(files), *given, "--split-column", "group", *end]


@dataclass(frozen=True)
class Answer:
    """What a command said; a status of -1: it raised, and the traceback is in ``said``."""

    status: int
    said: str


def asked(arguments: Sequence[str]) -> Answer:
    """Run a command in this process."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        try:
            status = main(arguments)
        except BaseException:
            if isinstance(stream, io.StringIO):
                return Answer(-1, stream.getvalue() + traceback.format_exc())
            raise
    return Answer(status, stream.getvalue())


def play(folder: Path, cases: Sequence[Case], interrupt: float | None = None) -> list[Verdict]:
    """Ingest cases of one family among two whole files, and judge.

    Args:
        folder: An empty folder.
        cases: The cases.
        interrupt: None, or the share of the time of a whole run for which another one may write
            before it is killed; gone on with, it comes to the same bytes.

    """
    place_of_out = folder / "out"
    place_of_out.mkdir()
    out = place_of_out / "store.h5"
    command = command_of(folder, cases, out)
    verdicts = {
        case.name: Verdict(case.name, case.sample.kind, case.what, "refused") for case in cases
    }
    started = time.monotonic()
    answer = asked(command)
    took = time.monotonic() - started
    common: list[str] = []
    if "Traceback" in answer.said or answer.status not in (0, 1, 2):
        common.append(f"traceback: {answer.said[-3000:]}")
    elif answer.status:
        common.append(f"status {answer.status}: {answer.said[-1500:]}")
    left = sorted(one.name for one in place_of_out.iterdir())
    if left != ([out.name] if answer.status == 0 else []):
        common.append(f"left behind: {left}")
    if answer.status == 0 and out.exists():
        common += judge(folder, cases, out, answer, verdicts)
        if interrupt is not None:
            common += again(command, out, interrupt * took)
    for one in verdicts.values():
        one.faults += common
    return list(verdicts.values())


def judge(
    folder: Path,
    cases: Sequence[Case],
    out: Path,
    answer: Answer,
    verdicts: dict[str, Verdict],
    below: Path | None = None,
) -> list[str]:
    """Look at the store; what is wrong with all of it."""
    faults = []
    store = Store.open(out)
    if not description_is_whole(store) or damaged_slices(store):
        faults.append("the store does not agree with its digests")
    if not np.isfinite(store.images).all():
        faults.append("not finite")
    for name, image in zip(WHOLE, whole_images(), strict=True):
        rows = np.flatnonzero(store.patients == name)
        if len(rows) != 1 or not np.array_equal(store.read(rows)[0], image):
            faults.append(f"the whole file {name} is not as it was")
    skipped = {one["name"]: one["reason"] for one in store.source["skipped"]}
    questions = []
    for case in cases:
        verdict = verdicts[case.name]
        rows = np.flatnonzero(store.patients == case.name)
        reasons = [reason for name, reason in skipped.items() if case.name in name]
        if len(rows) and reasons:
            verdict.faults.append("it is taken and left out")
        elif reasons:
            verdict.said = reasons[0]
        elif not len(rows):
            verdict.faults.append("it is neither taken nor left out")
        if len(rows):
            verdict.outcome = "same"
            path = folder / "files" / case.name if below is None else found_in(below, case.name)
            if case.sample.name:
                path /= file_name(case, case.sample.name)
            questions.append(Question(case.name, case.family, path, store.read(rows)))
    answers = look(Look(compared, case_named), questions)
    for question, remark in answers.found:
        verdicts[question.case].remark = remark
    for one in answers.skipped:
        verdicts[one.name].remark = f"the reference ends its process: {one.reason}"[:300]
    for verdict in verdicts.values():
        if verdict.remark:
            verdict.outcome = "taken"
    shown = [one for one in skipped if one in answer.said]
    if len(shown) < min(10, len(skipped)):
        faults.append(f"{len(skipped)} left out, {len(shown)} named")
    return faults


def found_in(folder: Path, name: str) -> Path:
    """Of a class, whichever it is."""
    return next(path for one in folder.iterdir() if (path := one / name).exists())


def case_named(question: Question) -> str:
    return question.case


def again(command: Sequence[str], out: Path, after: float) -> list[str]:
    """Make the store once more, killed on the way; it is the same to the last byte."""
    expected = out.with_name("expected")
    out.rename(expected)
    child = subprocess.Popen(
        [sys.executable, "-m", "sweep", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    partial = out.with_name(f"{out.name}.partial")
    while not partial.exists() and child.poll() is None:
        time.sleep(0.005)
    time.sleep(after)
    child.kill()
    child.wait()
    allowed = {out.name, expected.name}
    if out.exists():  # killed when all but its own folder was in place
        allowed.add(partial.name)
    answer = Answer(0, "") if out.exists() else asked(command)
    if answer.status or not out.exists():
        return [f"after a kill, status {answer.status}: {answer.said[-1500:]}"]
    left = {one.name for one in out.parent.iterdir()} - allowed
    if left:
        return [f"after a kill, left behind: {sorted(left)}"]
    if out.read_bytes() == expected.read_bytes():
        return []
    return [f"after a kill, the store has other bytes: {difference(expected, out)}"]


def difference(first: Path, second: Path) -> str:
    """In what two stores differ."""
    one, other = Store.open(first), Store.open(second)
    found = []
    for mine, theirs in zip(one.source["skipped"], other.source["skipped"], strict=False):
        if mine != theirs:
            found.append(f"{mine} and {theirs}")
    if len(one) != len(other):
        return f"{len(one)} and {len(other)} slices; {found[:3]}"
    for row in range(len(one)):
        if not np.array_equal(one.images[row], other.images[row]):
            found.append(f"pixels of {one.patients[row]}")
    return str(found[:6])


PATTERN = "(whole[01]|c[0-9]{7})"


def place_tree(
    folder: Path, kind: str, seed: str, numbers: Sequence[int], samples: Sequence[Sample]
) -> list[Case]:
    """Write damaged samples as files of classes for training, and two whole files for validation.

    A TIFF is a picture there, and no stack.
    """
    files = folder / "files"
    whole = files / "validation"
    files.mkdir()
    for name, named in zip(WHOLE, write_whole(files, kind), strict=True):
        target = whole / "xy"[int(name[-1])] / named
        target.parent.mkdir(parents=True)
        (files / named).rename(target)
    known = [one for one in samples if kind == "images" or not one.name.endswith(".tif")]
    cases = [case_of(seed, number, kind, known) for number in numbers]
    for number, case in enumerate(cases):
        place_in = files / "train" / "xy"[number % 2]
        place_in.mkdir(parents=True, exist_ok=True)
        place(place_in, case)
    return cases


def judge_tree(folder: Path, kind: str, cases: Sequence[Case]) -> list[Verdict]:
    """Draft a manifest, ingest the folder."""
    out = folder / "out" / "store.h5"
    out.parent.mkdir()
    files, drafted = folder / "files", folder / "out" / "drafted.csv"
    options = ["--kind", kind, "--patient-pattern", PATTERN, "--workers", "1"]
    verdicts = {
        one.name: Verdict(one.name, f"tree, {one.sample.kind}", one.what, "refused")
        for one in cases
    }
    faults = []
    answer = asked(["manifest", str(files), *options, "--out", str(drafted)])
    if "Traceback" in answer.said or answer.status:
        faults.append(f"manifest, status {answer.status}: {answer.said[-2000:]}")
    rows = drafted.read_text() if drafted.exists() else ""
    if not all(name in rows for name in WHOLE):
        faults.append(f"the draft lacks whole files: {rows[:500]}")
    drafted.unlink(missing_ok=True)
    size = ["--size", str(SIDE)]
    answer = asked(["ingest", "folder", str(files), *options, *size, "--out", str(out)])
    if "Traceback" in answer.said or answer.status:
        faults.append(f"status {answer.status}: {answer.said[-2000:]}")
    left = sorted(one.name for one in out.parent.iterdir())
    if left != ([out.name] if answer.status == 0 else []):
        faults.append(f"left behind: {left}")
    if answer.status == 0:
        faults += judge(folder, cases, out, answer, verdicts, files / "train")
        for one in verdicts.values():
            unseen = "it is neither taken nor left out"
            if unseen in one.faults and kind == "dicom":
                one.faults.remove(unseen)
                one.outcome = "passed over"
    for one in verdicts.values():
        one.faults += faults
    return list(verdicts.values())
