"""The section on the worst slices: what they look like, and what each norm or arm said of them."""

import dataclasses
import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sweep.config.levels import shift_of
from sweep.config.settings import StressSettings
from sweep.core.errors import UserError
from sweep.core.records import CLEAN, Cell
from sweep.core.text import number_of
from sweep.inspect.choosing import windowed
from sweep.learn.inputs import corrupt, gather
from sweep.report.answers import Answered, Answers, answered
from sweep.report.document import Block, Picture, Pictures, Section, Table, Text
from sweep.report.evidence import At, Evidence
from sweep.report.numbers import value
from sweep.store import Store

SHOWN = 6  # slices, of different patients
SIDE = 192  # pixels of a picture; slices are enlarged by whole numbers
GAP = 4
TINY = 1e-6


class Slice(NamedTuple):
    """One slice in one cell.

    Attributes:
        cell: The artifact and its level.
        number: Its place among the slices.
        key: Its name.
        loss: Mean cross-entropy of all norms or arms and trainings.

    """

    cell: Cell
    number: int
    key: str
    loss: float


def worst_section(evidence: Evidence, pictures: bool = True) -> Section:
    """The slices on which all together were most surely wrong, of different patients.

    Args:
        evidence: What it rests on.
        pictures: Whether they are shown; else named alone.

    """
    at = evidence.first
    store, why = _store(evidence, at)
    if store is None:
        text = f"There are no pictures: {why}."
        return Section("worst", "The worst slices", [Text((text,))])
    cells = _worst_cells(evidence, at)
    said = answered(evidence, at, (CLEAN, *cells))
    items, data = [], []
    for one in _chosen(cells, said):
        picture, rows = _picture(evidence, at, store, one, said)
        items.append(picture)
        data += rows
    artifacts = number_of(len(cells), "artifact")
    says = (
        f"Under the worst level of each of the {artifacts} that cost most, the slices with the "
        "greatest mean cross-entropy over all trainings, no patient twice. Below each: the "
        f"probability of what it shows (of several labels the least), mean over the trainings of "
        f"each {evidence.kind}, clean and under the artifact."
    )
    title = f"{number_of(len(items), 'slice')} of {at.place}, each clean and under its artifact"
    if pictures:
        shown: Block = Pictures("worst-slices", title, says, items, data)
    else:
        shown = _named(evidence, f"{title}, without pictures. {says}", data)
    return Section("worst", "The worst slices", [shown])


def _named(evidence: Evidence, caption: str, data: list[dict[str, Any]]) -> Table:
    header = ["slice", "artifact", "level", "shows", evidence.kind, "clean", "damaged"]
    rows = [
        [value(row[name], ".2f") if name in header[-2:] else str(row[name]) for name in header]
        for row in data
    ]
    return Table("worst-slices", caption, header, rows, data)


def _worst_cells(evidence: Evidence, at: At) -> list[Cell]:
    """Of the three artifacts that cost most, the level that costs most."""
    sign = 1 if evidence.metric.higher_is_better else -1
    values: dict[str, tuple[float, Cell]] = {}
    for cell in at.cells:
        own = [one.cells[cell].value for one in at.found.scored]
        if cell == CLEAN or np.isnan(own).any():
            continue
        mean = sign * float(np.mean(own))
        if cell.artifact not in values or mean < values[cell.artifact][0]:
            values[cell.artifact] = (mean, cell)
    return [cell for _, cell in sorted(values.values())[:3]]


def _chosen(cells: list[Cell], said: Answers) -> list[Slice]:
    """The slices with the greatest loss, as many under each artifact, no patient twice."""
    found: list[Slice] = []
    seen: set[str] = set()
    for cell in cells:
        own = said[cell]
        losses = np.mean([_loss(one) for one in own.values()], axis=0)
        slices = next(iter(own.values())).slices
        left = SHOWN // len(cells)
        for number in np.argsort(-losses, kind="stable"):
            if left and slices.patients[number] not in seen:
                seen.add(slices.patients[number])
                place = int(number)
                found.append(Slice(cell, place, slices.keys[place], float(losses[place])))
                left -= 1
    return found


def _loss(one: Answered) -> NDArray[np.float64]:
    """(N,) mean cross-entropy over trainings and labels."""
    p = np.clip(one.probabilities.astype(np.float64), TINY, 1 - TINY)
    right = np.where(one.truth, p, 1 - p)
    return np.asarray(-np.log(right).mean(axis=(0, 2)))


def _picture(
    evidence: Evidence, at: At, store: Store, one: Slice, said: Answers
) -> tuple[Picture, list[dict[str, Any]]]:
    row = int(np.flatnonzero(store.keys == one.key)[0])
    clean, damaged = (_image(evidence, at, store, row, cell) for cell in (CLEAN, one.cell))
    answers, data = [], []
    there, before = said[one.cell], said[CLEAN]
    truth = ""
    for group, own in there.items():
        shown = [
            label
            for label, yes in zip(own.slices.labels, own.truth[one.number], strict=True)
            if yes
        ]
        truth = ", ".join(shown) or "none of the labels"
        right_p = []
        for answer in (before[group], own):
            p = answer.probabilities[:, one.number].mean(axis=0)
            right = np.where(own.truth[one.number], p, 1 - p)
            right_p.append(float((right[own.truth[one.number]] if shown else right).min()))
        answers.append((group, f"{right_p[0]:.2f} → {right_p[1]:.2f}"))
        data.append(
            {"slice": one.key, "artifact": one.cell.artifact, "level": one.cell.level}
            | {evidence.kind: group, "shows": truth, "clean": right_p[0]}
            | {"damaged": right_p[1]}
        )
    caption = f"{one.key}, {one.cell.artifact} at level {one.cell.level}; it shows {truth}"
    return Picture(_side_by_side(clean, damaged), caption, answers), data


def _image(evidence: Evidence, at: At, store: Store, row: int, cell: Cell) -> NDArray[np.uint8]:
    """(H, W) grey values, as the stress test damaged the slice."""
    data = evidence.config.data
    batch = gather(store, np.asarray([row]), torch.device("cpu"), data.signal, data.scan_draws)
    settings = _settings(evidence, at)
    image = corrupt(batch.signals, shift_of(settings, cell), batch.names, settings.seed)
    return windowed(image[0].numpy().astype(np.float32))


def _settings(evidence: Evidence, at: At) -> StressSettings:
    stress, plan = evidence.config.stress, evidence.plan
    knobs = {**(plan.knobs if plan else {}), **stress.knobs}
    return dataclasses.replace(stress, knobs=knobs, artifacts=(*stress.artifacts, *at.held_out))


def _side_by_side(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> bytes:
    height, width = left.shape
    times = max(1, SIDE // max(height, width))
    gap = np.full((height, max(1, GAP // times)), 255, np.uint8)
    image = Image.fromarray(np.concatenate([left, gap, right], axis=1))
    large = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    out = io.BytesIO()
    large.save(out, "PNG", optimize=True)
    return out.getvalue()


def _store(evidence: Evidence, at: At) -> tuple[Store | None, str]:
    """The store of a place, if it is where it was."""
    places = evidence.plan.places if evidence.plan else ()
    place = next((one for one in places if one.name == at.place), None)
    if place is None or (evidence.store and place.fingerprint == evidence.store.fingerprint):
        return evidence.store, "the data of the sweep are not where they were"
    try:
        store = Store.open(Path(place.store))
    except UserError as error:
        return None, f"the data of {at.place} cannot be opened ({error.args[0]})"
    if store.fingerprint != place.fingerprint:
        return None, f"the data of {at.place} are others than those that were scored"
    return store, ""
