from itertools import permutations, product

import nibabel
import numpy as np
import pytest

from sweep.core.errors import UnusableError
from sweep.ingest.formats.planes import DISPLAY, Grid, View, sections_of, view_along

AXES = sorted(DISPLAY)
STORED = [
    View(order, flipped)
    for order in permutations(range(3))
    for flipped in product((False, True), repeat=3)
]
SPACING = np.array([3.0, 2.0, 0.5])
LPS_OF_RAS = np.diag([-1.0, -1, 1, 1])


def axial_grid(turn=None):
    """Slices towards the head, rows towards the back, columns towards the patient's left."""
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, ::-1] * SPACING
    affine[:3, 3] = (-7.0, 11.0, 5.0)
    if turn is not None:
        affine[:3] = turn @ affine[:3]
    return Grid((4, 5, 6), affine)


def turned(degrees, axis):
    """Rotation about one of x, y, z."""
    angle = np.deg2rad(degrees)
    first, second = (other for other in range(3) if other != axis)
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
    return matrix


OBLIQUE = turned(20, 0) @ turned(-15, 1) @ turned(10, 2)


def place(grid, index):
    return grid.affine[:3] @ [*index, 1]


def position_of(image, number, grid):
    """Where the brightest pixel of a plane lies, in mm."""
    row, column = np.unravel_index(image.argmax(), image.shape)
    return place(grid, (number, row, column))


@pytest.mark.parametrize("turn", [None, OBLIQUE], ids=["straight", "oblique"])
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("stored", STORED, ids=str)
def test_a_marker_shows_at_its_place_however_the_volume_is_stored(stored, axis, turn):
    truth = axial_grid(turn)
    volume = np.zeros(truth.shape, np.float32)
    marker = (3, 1, 4)  # slice to the head, row from the front, column to the left
    volume[marker] = 1
    grid = stored.grid(truth)
    view = view_along(grid, axis, "")
    sections = list(sections_of(stored.array(volume), grid, view, range(view.grid(grid).shape[0])))
    (number,) = (number for number, one in enumerate(sections) if one.image.any())
    image = sections[number].image
    row, column = np.argwhere(image)[0].tolist()
    from_head, from_front, from_right = 4 - 1 - 3, 1, 4
    expected = {
        "axial": (3, from_front, from_right),
        "coronal": (from_front, from_head, from_right),
        "sagittal": (6 - 1 - from_right, from_head, from_front),
    }
    assert (number, row, column) == expected[axis]
    np.testing.assert_allclose(position_of(image, number, view.grid(grid)), place(truth, marker))


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("stored", STORED, ids=str)
def test_orientation_and_pixel_size_reproduce_the_affine(stored, axis):
    grid = stored.grid(axial_grid(OBLIQUE))
    seen = view_along(grid, axis, "").grid(grid)
    (height, width), (along, down) = seen.geometry.pixel_mm, seen.geometry.orientation
    start = place(seen, (0, 0, 0))
    np.testing.assert_allclose(place(seen, (0, 0, 1)), start + width * np.array(along), atol=1e-9)
    np.testing.assert_allclose(place(seen, (0, 1, 0)), start + height * np.array(down), atol=1e-9)
    step = place(seen, (1, 0, 0)) - start
    np.testing.assert_allclose(seen.geometry.thickness_mm * np.cross(along, down), step, atol=1e-9)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("stored", STORED, ids=str)
def test_reordering_twice_is_reordering_once(stored, axis):
    grid = stored.grid(axial_grid(OBLIQUE))
    seen = view_along(grid, axis, "").grid(grid)
    assert view_along(seen, axis, "") == View()


@pytest.mark.parametrize("stored", STORED, ids=str)
def test_acquired_planes_are_left_as_they_are(stored):
    assert view_along(stored.grid(axial_grid()), "acquired", "") == View()


@pytest.mark.parametrize("stored", STORED, ids=str)
def test_the_closest_axes_are_those_that_nibabel_finds(stored):
    grid = stored.grid(axial_grid(OBLIQUE))
    volume = np.random.default_rng(2).random(grid.shape, np.float32)
    image = nibabel.Nifti1Image(volume, LPS_OF_RAS @ grid.affine)
    canonical = nibabel.as_closest_canonical(image)  # right, front, head
    view = view_along(grid, "axial", "")  # head, back, left
    np.testing.assert_array_equal(
        view.array(volume), canonical.get_fdata().transpose(2, 1, 0)[:, ::-1, ::-1]
    )
    corner = place(view.grid(grid), (0, canonical.shape[1] - 1, canonical.shape[0] - 1))
    np.testing.assert_allclose(corner, (LPS_OF_RAS @ canonical.affine)[:3, 3], atol=1e-5)


def test_a_view_is_not_a_copy():
    volume = np.zeros((2, 3, 4))
    assert np.shares_memory(View((2, 0, 1), (True, False, True)).array(volume), volume)


@pytest.mark.parametrize(
    "affine",
    [
        None,
        np.full((4, 4), np.nan),
        np.diag([1.0, 0, 1, 1]),
        np.array([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    ],
    ids=["none", "nan", "a zero spacing", "two axes in one direction"],
)
def test_without_a_usable_affine_only_acquired_planes_are_known(affine):
    grid = Grid((2, 3, 4), affine)
    assert grid.geometry.pixel_mm is None
    assert grid.geometry.orientation is None
    assert view_along(grid, "acquired", "a.nii") == View()
    with pytest.raises(UnusableError, match=r"which axial planes need; received a\.nii; take"):
        view_along(grid, "axial", "a.nii")


def test_lengths_without_directions():
    grid = Grid((4, 5, 6), axial_grid().affine, oriented=False)
    assert grid.geometry.pixel_mm == (2.0, 0.5)
    assert grid.geometry.orientation is None
    with pytest.raises(UnusableError, match="sagittal planes"):
        view_along(grid, "sagittal", "a.nii")
