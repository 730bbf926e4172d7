"""Which phase-encode lines an accelerated scan measures."""

import numpy as np
from numpy.typing import NDArray

Lines = NDArray[np.bool_]
"""A truth value for every line, centred: DC at N // 2."""


def centre(n_lines: int, count: int) -> Lines:
    """Mark the central lines: (N,).

    DC is among them. The lines are those of fastMRI: the odd one, if there is one, lies below DC
    for an even N and above it for an odd N.
    """
    lines = np.zeros(n_lines, dtype=np.bool_)
    start = (n_lines - count + 1) // 2
    lines[start : start + count] = True
    return lines


def regular(u: NDArray[np.float64], n_lines: int, acceleration: float) -> Lines:
    """Mark the lines a + round(j R) for all whole numbers j: (B, N).

    One line, a = floor(u N), is anchored, so that a comb of R holds all those of multiples of R.

    Args:
        u: (B,) in [0, 1).
        n_lines: N.
        acceleration: R, any number above 1.

    """
    distance = np.arange(n_lines) - np.floor(u * n_lines)[:, None]
    marked: Lines = np.rint(np.rint(distance / acceleration) * acceleration) == distance
    return marked


def random_count(words: NDArray[np.uint64], first: Lines, candidates: Lines, count: int) -> Lines:
    """Mark `count` of the candidates, those of the highest words: (B, N).

    A smaller count keeps some of the same lines.

    Args:
        words: (B, N) uniform 64-bit words.
        first: (N,), candidates that come before all others.
        candidates: (N,).
        count: The count from 1 to the number of candidates.

    """
    rank = words >> np.uint64(2)  # below all candidates, and these below those that come first
    rank += candidates * np.uint64(2**62) + first * np.uint64(2**63)
    marked: Lines = rank >= np.sort(rank, axis=1)[:, [-count]]
    return marked


def fastmri_random(words: NDArray[np.uint64], n_centre: int, acceleration: float) -> Lines:
    """Mark each line with the probability that makes N / R of them, central ones included: (B, N).

    It is (N / R - n) / (N - n) for n central lines, which are not marked here. Source: fastMRI's
    `RandomMaskFunc`.

    Args:
        words: (B, N) uniform 64-bit words.
        n_centre: N; from N / R on, no line is marked.
        acceleration: R.

    """
    n_lines = words.shape[1]
    outer = max(0.0, n_lines / acceleration - n_centre)
    marked: Lines = words < outer / max(1, n_lines - n_centre) * 2.0**64
    return marked


def fastmri_equispaced(
    u: NDArray[np.float64], n_lines: int, n_centre: int, acceleration: float
) -> Lines:
    """Mark lines at a spacing that makes N / R of them, central ones included: (B, N).

    The spacing is s = R (N - n) / (N - n R) for n central lines, which are not marked here; lines
    are offset + j s below N - 1, to the nearest line, and so not exactly equispaced. Source:
    fastMRI's `EquispacedMaskFractionFunc`.

    Args:
        u: (B,) in [0, 1): offset = floor(u round(s)).
        n_lines: N.
        n_centre: N; from N / R on, no line is marked.
        acceleration: R.

    """
    marked = np.zeros((len(u), n_lines), dtype=np.bool_)
    if n_centre * acceleration < n_lines:
        spacing = acceleration * (n_lines - n_centre) / (n_lines - n_centre * acceleration)
        offset = np.floor(u * round(spacing))
        place = offset[:, None] + spacing * np.arange(np.ceil(n_lines / spacing))
        slices, samples = np.nonzero(place < n_lines - 1)
        marked[slices, np.rint(place[slices, samples]).astype(np.int64)] = True
    return marked
