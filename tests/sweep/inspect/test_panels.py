"""Panels of a sheet: the slice's own millimetres."""

import numpy as np

from sweep.inspect.panels import ArtifactRow, row_of


def motion_on(pixel_mm: tuple[float, float] | None) -> ArtifactRow:
    clean = np.random.default_rng(0).random((32, 32), np.float32)
    return row_of("motion", clean, "p1/s1", (3,), "calibrated", 0, pixel_mm)


def test_motion_in_mm_is_drawn_in_the_pixels_of_the_slice() -> None:
    images = [motion_on(pixel_mm).panels[1].image for pixel_mm in (None, (7.5, 7.5), (0.5, 0.5))]
    np.testing.assert_array_equal(images[0], images[1])  # 240 mm on 32 pixels is the default
    assert (images[0] != images[2]).any()
