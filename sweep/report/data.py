"""The section on data: patients, slices and positives, of every part and label."""

from collections.abc import Iterator, Sequence

import numpy as np

from sweep.core.finals import VALIDATION
from sweep.core.text import number_of
from sweep.report.document import Block, Section, Table, Text
from sweep.report.evidence import Evidence
from sweep.results.finalists import FinalistFolder
from sweep.results.tables import Slices


def data_section(evidence: Evidence) -> Section:
    """Patients, slices and positives."""
    parts = list(_parts(evidence))
    labels = list(parts[0][1].labels) if parts else []
    header = ["part", "splits", "patients", "slices"]
    header += [f"{label}: patients (slices)" for label in labels]
    rows, data = [], []
    for name, slices, splits in parts:
        patients = np.asarray(slices.patients)
        row = [name, splits, str(len(set(slices.patients))), str(len(slices.keys))]
        plain = {
            "part": name,
            "splits": splits,
            "patients": len(set(slices.patients)),
            "slices": len(slices.keys),
        }
        for column, label in enumerate(labels):
            shows = slices.truth[:, column]
            count = len(set(patients[shows].tolist()))
            row.append(f"{count} ({int(shows.sum())})")
            plain |= {f"patients with {label}": count, f"slices with {label}": int(shows.sum())}
        rows.append(row)
        data.append(plain)
    blocks: list[Block] = [
        Table(
            "data",
            "Patients and slices of every part, and how many show each label",
            header,
            rows,
            data,
        ),
        Text(
            (
                f"The stress test has {number_of(len(evidence.first.cells) - 1, 'cell')} "
                f"{_cells(evidence)}. "
                "Where something is drawn again it is patients, never slices.",
            )
        ),
    ]
    return Section("data", "Patients and artifacts", blocks)


def _cells(evidence: Evidence) -> str:
    stress = evidence.config.stress
    text = f"at {evidence.first.place}: {', '.join(stress.artifacts)} at levels "
    text += ", ".join(map(str, stress.levels))
    held_out = evidence.first.held_out
    return text + (f"; held out: {', '.join(held_out)}" if held_out else "")


def _parts(evidence: Evidence) -> Iterator[tuple[str, Slices, str]]:
    """Every part that can be counted: from the store, or from what was predicted."""
    data, store = evidence.config.data, evidence.store
    if store is not None and data.train:
        rows = store.indices(data.train)
        yield (
            "training",
            Slices(
                store.keys[rows].tolist(),
                store.patients[rows].tolist(),
                list(store.label_names),
                store.labels[rows].astype(bool),
            ),
            _splits(data.train),
        )
    splits = {VALIDATION: data.validation}
    splits |= {one.name: one.splits for one in (evidence.plan.places if evidence.plan else ())}
    for at in sorted(evidence.places, key=lambda one: one.place != VALIDATION):
        slices = slices_at(evidence, at.place)
        yield at.place, slices, _splits(splits.get(at.place, ()))


def slices_at(evidence: Evidence, place: str) -> Slices:
    """The slices of a place, as its predictions name them."""
    for record in evidence.records:
        if place in record.metrics:
            found = FinalistFolder(evidence.folder)
            return found.predictions(record.run.name, place, record.epochs[0])[1]
    first = evidence.first.found.scored[0].config
    best = next(trial for trial in evidence.trials if trial.trial == first)
    return evidence.folder.predictions(best.trial, int(best.best_epoch or 0))[1]


def _splits(splits: Sequence[object]) -> str:
    return ", ".join(map(str, splits)) or "all"
