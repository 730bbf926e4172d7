"""Panels of a sheet: the slice's own millimetres and pixels."""

import numpy as np

from artifacts_sim import Names
from sweep.inspect.panels import ArtifactRow, row_of
from sweep.store.geometry import Geometry


def drawn(name: str, geometry: Geometry) -> ArtifactRow:
    clean = np.random.default_rng(0).random((32, 32), np.float32)
    return row_of(name, clean, Names(["p1/s1"]), (3,), "physical", 0, geometry)


def test_motion_in_mm_is_drawn_in_the_pixels_of_the_slice() -> None:
    sizes = (None, (7.5, 7.5), (0.5, 0.5))
    images = [drawn("motion", Geometry(one)).panels[1].image for one in sizes]
    np.testing.assert_array_equal(images[0], images[1])  # 240 mm on 32 pixels is the default
    assert (images[0] != images[2]).any()


def test_a_shift_in_pixels_is_drawn_in_those_of_before_a_resize() -> None:
    sizes = (None, (32, 32), (64, 64))
    images = [drawn("fat_shift", Geometry(native=one)).panels[1].image for one in sizes]
    np.testing.assert_array_equal(images[0], images[1])
    assert (images[0] != images[2]).any()
