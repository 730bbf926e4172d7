"""Simulated receive coils against Biot and Savart's integral and the laws of a loop's field."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import ellipe, ellipk

from artifacts_sim.acquisition.geometry import Geometry, frame_of_image
from artifacts_sim.kinds import coils

TURNS = np.array([0.3, 2.0, 5.1])


def frame(shape, batch=3, **geometry):
    return frame_of_image(Geometry(**geometry), shape, batch)


def maps(shape, turn=TURNS, arc=coils.FULL_TURN, count=8, **geometry):
    of = frame(shape, len(turn), **geometry)
    return coils.sensitivities(turn, arc, count, of, of)


def by_wires(turn, arc, count, shape, field_of_view):
    """B_x - i B_y of loops of straight wires, in units of the field at a loop's centre."""
    half = np.array(field_of_view) / np.mean(field_of_view)
    u, v = (h * ((np.arange(n) + 0.5) * 2 / n - 1) for h, n in zip(half, shape, strict=True))
    pixels = np.stack(np.broadcast_arrays(u[:, None], v, 0.0), axis=-1)
    theta = np.linspace(0, 2 * np.pi, 721)
    fields = []
    for place in range(count):
        angle = turn + arc * ((place + 0.5) / count - 0.5)
        out = np.array([np.cos(angle), np.sin(angle), 0])
        along = np.array([-out[1], out[0], 0])
        middle = out * (half @ np.abs(out[:2]) + 0.2)
        ring = np.cos(theta)[:, None] * along - np.sin(theta)[:, None] * np.array([0, 0, 1])
        corners = middle + 0.4 * ring
        total = np.zeros(pixels.shape)
        for start, end in pairwise(corners):
            r = pixels - (start + end) / 2
            total += np.cross(end - start, r) / (r**2).sum(-1, keepdims=True) ** 1.5
        fields.append((total[..., 0] - 1j * total[..., 1]) * 0.4 / (2 * np.pi))
    return np.stack(fields)


class TestLoop:
    def test_on_its_axis(self):
        z = np.linspace(-3, 3, 13)
        axial, radial = coils.loop_field(z, np.zeros(13), 0.4)
        np.testing.assert_allclose(axial, (1 + (z / 0.4) ** 2) ** -1.5, rtol=1e-12)
        np.testing.assert_array_equal(radial, 0)

    def test_elsewhere_against_tables_of_elliptic_integrals(self):
        z, s, a = np.array([0.1, 0.5, 2.0]), np.array([0.39, 0.2, 1.5]), 0.4
        far, near = (a + s) ** 2 + z**2, (a - s) ** 2 + z**2
        first, second = ellipk(4 * a * s / far), ellipe(4 * a * s / far)
        axial = a / np.pi / np.sqrt(far) * (first + (a**2 - s**2 - z**2) / near * second)
        radial = a * z / np.pi / s / np.sqrt(far)
        radial *= (a**2 + s**2 + z**2) / near * second - first
        for sign in (1, -1):
            found = coils.loop_field(z, sign * s, a)
            np.testing.assert_allclose(found[0], axial, rtol=1e-12)
            np.testing.assert_allclose(found[1], sign * radial, rtol=1e-10)

    def test_far_away_it_is_a_dipole_that_falls_with_the_third_power(self):
        a, r = 0.4, 40.0
        for theta in (0.2, 1.0, 2.0):
            axial, radial = coils.loop_field(
                np.array([r * np.cos(theta)]), np.array([r * np.sin(theta)]), a
            )
            strength = (a / r) ** 3 / 2
            assert axial[0] == pytest.approx(strength * (3 * np.cos(theta) ** 2 - 1), rel=1e-3)
            mixed = 3 * np.cos(theta) * np.sin(theta)
            assert radial[0] == pytest.approx(strength * mixed, rel=1e-3)


class TestSensitivities:
    @pytest.mark.parametrize("shape", [(30, 30), (21, 40)], ids=str)
    def test_against_biot_and_savart(self, shape):
        found = maps(shape, pixel_mm=(1.0, 1.0))
        for turn, one in zip(TURNS, found, strict=True):
            expected = by_wires(turn, coils.FULL_TURN, 8, shape, shape)
            assert np.abs(one - expected).max() < 2e-4

    def test_of_a_pad_on_one_side(self):
        found = maps((20, 20), TURNS[:1], np.array([1.7]), 4)
        expected = by_wires(TURNS[0], 1.7, 4, (20, 20), (1, 1))
        assert np.abs(found[0] - expected).max() < 2e-4

    def test_they_mean_the_same_at_any_matrix_and_any_size_of_the_object(self):
        coarse, fine = maps((20, 16)), maps((60, 48))
        np.testing.assert_allclose(coarse, fine[:, :, 1::3, 1::3], atol=1e-12)
        small = maps((20, 16), pixel_mm=(0.3, 0.3))
        np.testing.assert_allclose(coarse, small, atol=1e-12)
        flat = maps((20, 16), pixel_mm=(0.3, 0.6))
        assert np.abs(flat - coarse).max() > 0.05

    def test_a_quarter_turn_of_the_array_turns_what_it_sees(self):
        one, other = maps((24, 24), np.array([0.3, 0.3 + np.pi / 2]))
        np.testing.assert_allclose(np.abs(other), np.abs(np.rot90(one, axes=(1, 2))), atol=1e-10)

    def test_beyond_what_is_shown_it_is_that_of_the_edge(self):
        shown = frame((20, 20), 1, encoded=(20, 30))
        wide = coils.sensitivities(TURNS[:1], coils.FULL_TURN, 8, shown, shown)
        of_shown = maps((20, 20), TURNS[:1])
        np.testing.assert_allclose(wide[..., 5:25], of_shown, atol=1e-12)
        edges = coils.sensitivities(TURNS[:1], coils.FULL_TURN, 8, frame((20, 20), 1), shown)
        np.testing.assert_array_equal(edges, wide)
        np.testing.assert_allclose(wide[..., :4], wide[..., 3:4] * np.ones(4), atol=1e-12)

    def test_columns_divide_the_same_field_of_view_more_finely(self):
        of = frame((8, 20), 1)
        as_it_is = coils.sensitivities(TURNS[:1], coils.FULL_TURN, 8, of, of)
        fine = coils.sensitivities(TURNS[:1], coils.FULL_TURN, 8, of, of, columns=60)
        np.testing.assert_allclose(fine[..., ::3], as_it_is, atol=1e-12)

    def test_normalised_they_see_every_pixel_as_one(self):
        found = maps((40, 33))
        unit = coils.normalised(found)
        np.testing.assert_allclose((np.abs(unit) ** 2).sum(axis=1), 1, rtol=1e-12)
        np.testing.assert_allclose(np.angle(unit), np.angle(found), atol=1e-12)

    def test_root_sum_of_squares_is_theirs(self):
        of = frame((40, 33), 3)
        rss = coils.root_sum_of_squares(TURNS, coils.FULL_TURN, 8, of, of)
        expected = np.sqrt((np.abs(maps((40, 33))) ** 2).sum(axis=1))
        np.testing.assert_allclose(rss, expected, rtol=2e-4)
