"""Summaries of one metric over the stressed cells; a missing cell leaves them missing.

M is the metric, of which more is better, s the level of a severity; 0 is the clean image.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sweep.core.records import CLEAN, Cell
from sweep.metrics.functions import Values

CVAR_FRACTION = 0.25
DISCOUNT = 2 / 3
# Under this, a denominator is more chance than score.
LEAST_ABOVE_CHANCE = 0.05
LEAST_ERROR = 0.01

# Of the few cells of a screening a quarter is one, whose place is chance: on recorded trials the
# configurations that a wider tail left over were .03 better (benchmarks/search.py, gliomas).
LEAST_SCREENED = 2

Macro = Mapping[Cell, float | Values]


def worst_weights(
    values: Values, higher_is_better: bool = True, least: int = 1
) -> NDArray[np.float64]:
    """How much each cell counts in CVaR: the worst quarter of the cells, the last of them in part.

    Of 5 cells a quarter is 1.25: the worst counts .8, the next .2. Of fewer than 4 the worst alone.
    Where a cell is missing nothing is known to be the worst, and all weights are NaN.

    Args:
        values: (..., cells) Values of the cells.
        higher_is_better: Whether the smallest or the largest are the worst.
        least: So many cells count at least, where there are so many.

    Returns:
        (..., cells), which sum to 1.

    """
    cells = values.shape[-1]
    count = max(float(min(least, cells)), CVAR_FRACTION * cells)
    rank = np.argsort(np.argsort(values if higher_is_better else -values, axis=-1), axis=-1)
    weights = np.clip(count - rank, 0, 1) / count
    return np.where(np.isnan(values).any(axis=-1, keepdims=True), np.nan, weights)


def cvar(values: Values, higher_is_better: bool = True, least: int = 1) -> Values:
    """Mean of the worst quarter of the cells, see ``worst_weights``.

    Source: Rockafellar and Uryasev, J. Risk 2000, of equally likely outcomes. A steadier companion
    of the worst cell (cf. Sagawa et al. 2020, arXiv 1911.08731, on worst-group risk). Its cells are
    those that are worst among these values: chance makes it too low, most where cells are alike.
    """
    return np.asarray((values * worst_weights(values, higher_is_better, least)).sum(axis=-1))


def retention(macro: Macro, chance: float) -> Values:
    """Mean over cells of the part of the clean score above chance c that is left.

    In a cell: (M - c) / (M0 - c).

    Returns:
        () or (R,); NaN where the clean score is less than .05 above chance.

    """
    above = _above_chance(macro, chance)
    shares = [(np.asarray(macro[cell]) - chance) / above for cell in _cells(macro)]
    return _mean(shares)


def area(macro: Macro) -> Values:
    """Mean over artifacts of the area under the severity curve, from clean to its highest level.

    By trapezoids over the levels that there are, divided by the highest.
    """
    curves = [_curve(macro, artifact) for artifact in _artifacts(macro)]
    return _mean([np.asarray(np.trapezoid(np.stack(m), s, axis=0)) / s[-1] for s, m in curves])


def degradation(macro: Macro) -> Values:
    """Mean over artifacts of the loss against clean, low levels counting more; less is better.

    Of one artifact: sum a^s (M0 - M(s)) / sum a^s, a = 2/3. Source: ROOD-MRI, arXiv 2203.06060.
    """
    losses = []
    for artifact in _artifacts(macro):
        levels, values = _curve(macro, artifact)
        weights = DISCOUNT ** np.asarray(levels[1:], float)
        lost = np.tensordot(weights, np.stack([values[0] - m for m in values[1:]]), axes=1)
        losses.append(lost / weights.sum())
    return _mean(losses)


def corruption_error(macro: Macro, reference: Macro, *, relative: bool = False) -> float:
    """Mean corruption error against a reference, such as the batch norm baseline; less is better.

    Mean over artifacts of sum_s E(s) / sum_s E_ref(s), E = 1 - M; relative: every error less the
    clean error of its model. Source: Hendrycks and Dietterich, arXiv 1903.12261.

    Args:
        macro: Values of the model.
        reference: Values of the reference in the same cells.
        relative: Whether the clean errors are taken off.

    Returns:
        NaN where a cell is missing in one of them, or a denominator is below .01 a level, where a
        quotient says more of the reference than of the model.

    """
    if set(macro) != set(reference):
        return float("nan")
    ratios = []
    for artifact in _artifacts(macro):
        own, theirs = (_errors(of, artifact, relative) for of in (macro, reference))
        small = not theirs.mean() >= LEAST_ERROR
        ratios.append(np.nan if small else own.sum() / theirs.sum())
    return float(np.mean(ratios))


def _mean(values: Sequence[Values]) -> Values:
    return np.asarray(np.mean(values, axis=0))


def _errors(macro: Macro, artifact: str, relative: bool) -> NDArray[np.float64]:
    _, values = _curve(macro, artifact)
    clean = np.asarray(values[0]) if relative else 1.0
    return np.asarray([clean - m for m in values[1:]], float)


def _above_chance(macro: Macro, chance: float) -> Values:
    above = np.asarray(macro[CLEAN], float) - chance
    return np.where(above < LEAST_ABOVE_CHANCE, np.nan, above)


def _cells(macro: Iterable[Cell]) -> list[Cell]:
    return [cell for cell in macro if cell != CLEAN]


def _artifacts(macro: Iterable[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.artifact for cell in _cells(macro)))


def _curve(macro: Macro, artifact: str) -> tuple[list[int], list[Values]]:
    """Levels, 0 for the clean images first, and the values at them."""
    levels = sorted(cell.level for cell in macro if cell.artifact == artifact)
    values = [macro[CLEAN], *(macro[Cell(artifact, level)] for level in levels)]
    return [0, *levels], [np.asarray(value, float) for value in values]
