"""Dealing patients, never slices, to folds."""

from collections.abc import Mapping

from sweep.data.keys import digest
from sweep.errors import UserError


def deal_folds(findings: Mapping[str, frozenset[str]], folds: int, seed: int) -> dict[str, str]:
    """Deal every patient to one of the folds '1', '2', ..., stratified by what the patient shows.

    The patients of a stratum, shuffled by a hash of seed and name, go round the folds in turn, and
    the next stratum goes on where the last one stopped. So the folds of a stratum differ by one
    patient at most, and so do the folds as a whole; the order of ``findings`` does not matter.

    Args:
        findings: for each patient the labels seen on any of the patient's slices.
        folds: number of folds, at least 2 and at most the number of patients.
        seed: another seed, another dealing.

    Returns:
        The fold of each patient.

    Raises:
        UserError: fewer than two folds, or fewer patients than folds.

    """
    if not 2 <= folds <= len(findings):
        raise UserError(
            f"Patients are dealt to at least 2 folds with a patient in each; received "
            f"{folds} folds for {len(findings)} patients. Choose another number of folds."
        )
    order = sorted(findings, key=lambda name: (sorted(findings[name]), digest(seed, "fold", name)))
    return {patient: str(place % folds + 1) for place, patient in enumerate(order)}
