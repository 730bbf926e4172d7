"""Signal between displaced edges, by overlaps one by one: NumPy in float64."""

import numpy as np


def spread(signal, shift_px):
    """Spread each pixel of a line, (N,), evenly between its displaced edges, (N + 1,)."""
    n = len(signal)
    edges = np.arange(n + 1) + np.asarray(shift_px, np.float64)
    pixels = np.arange(n)
    line = np.zeros(n, np.result_type(signal, np.float64))
    for mass, one, other in zip(signal, edges[:-1], edges[1:], strict=True):
        low, high = min(one, other), max(one, other)
        shared = np.minimum(pixels + 1, high) - np.maximum(pixels, low)
        line += mass * np.maximum(shared, 0) / (high - low)
    return line


def points(signal, shift_px, per_pixel=2000):
    """The same with many points for each pixel."""
    n, shift_px = len(signal), np.asarray(shift_px, np.float64)
    within = (np.arange(per_pixel) + 0.5) / per_pixel
    moved = shift_px[:-1, None] * (1 - within) + shift_px[1:, None] * within
    place = np.arange(n)[:, None] + within + moved
    mass = np.broadcast_to(np.asarray(signal)[:, None] / per_pixel, place.shape)
    return np.histogram(place, bins=np.arange(n + 1), weights=mass)[0]


def outline(x):
    """Middle and standard deviations of the foreground's places along both axes, in pixels."""
    inside = x > 0.2 * (x**2).sum() / x.sum()
    places = np.argwhere(inside) + 0.5
    return inside, places.mean(axis=0), np.sqrt(places.var(axis=0) + 1 / 12)
