"""Noise: the same random bits on every device, and the law of circular complex normal numbers."""

import itertools
import math
import random

import numpy as np
import pytest
import torch
from scipy import stats

from artifacts_sim.keyed import stream
from artifacts_sim.noise import box_muller, circular_normal, device_words
from tests.support.artifacts import Z_LIMIT

CPU = torch.device("cpu")
EXTREMES = (0, 1, -1, 2, 2**32, -(2**32), 2**63 - 1, -(2**63))
SEEDS = np.array([*EXTREMES, *np.random.default_rng(0).integers(-(2**63), 2**63, 40)])
COUNTS = (0, 1, 2, 3, 5, 511, 512, 513, 2**16, 2**16 + 7)
ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def numpy_words(seeds, count):
    rows = [np.random.PCG64DXSM(int(seed) % 2**64).random_raw(count) for seed in seeds]
    return torch.from_numpy(np.stack(rows).view(np.int64))


def normals(seeds, shape):
    """Real and imaginary part in float64, each (B, *shape)."""
    radius, half_angle = (part.double().numpy() for part in circular_normal(seeds, shape, CPU))
    return radius * np.cos(2 * half_angle), radius * np.sin(2 * half_angle)


def test_a_field_without_pixels_is_empty():
    for part in circular_normal(SEEDS, (3, 0), CPU):
        assert part.shape == (len(SEEDS), 3, 0)


class TestWords:
    @pytest.mark.parametrize("count", COUNTS)
    def test_the_parallel_words_are_those_of_numpy(self, count):
        words = device_words(SEEDS, count, CPU)
        assert words.dtype == torch.int64
        assert torch.equal(words, numpy_words(SEEDS, count))

    def test_the_stream_is_the_same(self):
        rows = np.stack([stream(seed, 1000) for seed in SEEDS])
        assert torch.equal(torch.from_numpy(rows.view(np.int64)), numpy_words(SEEDS, 1000))

    def test_no_seeds_no_words(self):
        assert device_words(SEEDS[:0], 5, CPU).shape == (0, 5)

    @ON_GPU
    @pytest.mark.parametrize("count", COUNTS)
    def test_cuda_makes_the_same_bits(self, count):
        words = device_words(SEEDS, count, torch.device("cuda"))
        assert words.is_cuda
        assert torch.equal(words.cpu(), numpy_words(SEEDS, count))


class TestTransform:
    def test_it_is_box_and_mullers(self):
        words = numpy_words(SEEDS[:1], 3 * 25000)[0]
        radius, half_angle = torch.empty(2, 100_000)
        box_muller(words, radius, half_angle)
        bits = words[:50000].numpy().view(np.int32).astype(np.float64)
        square = -2 * np.log(np.abs(bits + 0.5) / 2**31)
        np.testing.assert_allclose(radius.double().numpy() ** 2, square, rtol=1e-6, atol=1e-6)
        angle = words[50000:].numpy().view(np.int16) * (np.pi / 2**16)
        np.testing.assert_allclose(half_angle.numpy(), angle, rtol=1e-6, atol=0)

    @pytest.mark.parametrize("int32", [0, -1, 1, 2**31 - 1, -(2**31)])
    def test_no_bits_give_an_infinite_or_negative_radius(self, int32):
        words = torch.from_numpy(np.full(6, int32, np.int32).view(np.int64))
        radius, half_angle = torch.empty(2, 4)
        box_muller(words, radius, half_angle)
        assert (radius >= 0).all()
        assert (radius <= math.sqrt(2 * math.log(2**32)) + 1e-6).all()

    def test_every_angle_is_within_half_a_turn(self):
        words = torch.from_numpy(np.arange(-(2**15), 2**15, dtype=np.int16).view(np.int64))
        radius, half_angle = torch.empty(2, 2**16)
        box_muller(torch.cat([torch.zeros(2**15, dtype=torch.int64), words]), radius, half_angle)
        assert (half_angle.diff() > 0).all()
        assert half_angle[0].item() == np.float32(-np.pi / 2)
        assert half_angle[-1].item() == pytest.approx(np.pi / 2 - np.pi / 2**16, rel=1e-6)

    def test_a_batch_is_its_rows(self):
        words = device_words(SEEDS, 3 * 26, CPU)
        radius, half_angle = torch.empty(2, len(SEEDS), 101)
        box_muller(words, radius, half_angle)
        drawn = circular_normal(SEEDS, (101,), CPU)
        assert torch.equal(radius, drawn[0])
        assert torch.equal(half_angle, drawn[1])


class TestBatch:
    SHAPES = ((1,), (2, 3), (17, 5), (3, 40, 41), (320, 320))

    @pytest.mark.parametrize("shape", SHAPES, ids=str)
    def test_a_field_depends_on_its_own_seed_only(self, shape):
        seeds = SEEDS[:10]
        order = np.array([7, 0, 9, 3, 3])
        whole, shuffled = (
            torch.stack(circular_normal(s, shape, CPU)) for s in (seeds, seeds[order])
        )
        assert torch.equal(shuffled, whole[:, order])
        for index in range(len(seeds)):
            alone = torch.stack(circular_normal(seeds[index : index + 1], shape, CPU))
            assert torch.equal(alone[:, 0], whole[:, index])

    def test_threads_do_not_matter(self):
        one = torch.stack(circular_normal(SEEDS[:3], (301, 307), CPU))
        torch.set_num_threads(3)
        assert torch.equal(torch.stack(circular_normal(SEEDS[:3], (301, 307), CPU)), one)

    def test_no_global_state_is_touched(self):
        def states():
            numpy_state = np.random.get_state()  # noqa: NPY002
            return (
                random.getstate(),
                numpy_state[1].tobytes(),
                numpy_state[2],
                torch.get_rng_state(),
            )

        before = states()
        circular_normal(SEEDS, (8, 8), CPU)
        device_words(SEEDS, 8, CPU)
        after = states()
        assert before[:3] == after[:3]
        assert torch.equal(before[3], after[3])

    @pytest.mark.parametrize("shape", SHAPES, ids=str)
    @pytest.mark.parametrize("device", ["cpu", "meta"])
    def test_shape_and_type(self, shape, device):
        for part in circular_normal(SEEDS[:2], shape, torch.device(device)):
            assert part.shape == (2, *shape)
            assert part.dtype == torch.float32
            assert part.device.type == device

    @ON_GPU
    @pytest.mark.parametrize("shape", SHAPES, ids=str)
    def test_cuda_draws_the_same_noise(self, shape):
        on_cpu = circular_normal(SEEDS, shape, CPU)
        on_gpu = circular_normal(SEEDS, shape, torch.device("cuda"))
        squares = [radius.cpu().square() for radius in (on_cpu[0], on_gpu[0])]
        torch.testing.assert_close(*squares, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(on_gpu[1].cpu(), on_cpu[1], rtol=1e-6, atol=0)

    @ON_GPU
    def test_on_cuda_a_field_depends_on_its_own_seed_only(self):
        cuda = torch.device("cuda")
        whole = torch.stack(circular_normal(SEEDS[:10], (33, 31), cuda))
        back = torch.stack(circular_normal(SEEDS[9::-1], (33, 31), cuda))
        assert torch.equal(back.flip(1), whole)
        alone = torch.stack(circular_normal(SEEDS[4:5], (33, 31), cuda))
        assert torch.equal(alone[:, 0], whole[:, 4])

    @ON_GPU
    def test_memory_on_cuda_is_as_promised(self):
        cuda = torch.device("cuda")
        circular_normal(SEEDS[:1], (8, 8), cuda)
        torch.cuda.reset_peak_memory_stats(cuda)
        before = torch.cuda.memory_allocated(cuda)
        circular_normal(SEEDS[:32], (320, 320), cuda)
        peak = torch.cuda.max_memory_allocated(cuda) - before
        assert peak / (32 * 320 * 320) < 18.5


class TestLaw:
    SHAPE = (400, 500)
    N = math.prod(SHAPE)

    def z(self, products, spread):
        """The mean of N independent products of mean 0, in units of its standard deviation."""
        return products.mean() * math.sqrt(products.size) / spread

    @pytest.mark.parametrize("seed", EXTREMES)
    def test_moments(self, seed):
        real, imag = normals(np.array([seed]), self.SHAPE)
        for part in (real, imag):
            assert abs(self.z(part, 1)) < Z_LIMIT
            assert abs(self.z(part**2 - 1, math.sqrt(2))) < Z_LIMIT
            assert abs(self.z(part**3, math.sqrt(15))) < Z_LIMIT
            assert abs(self.z(part**4 - 3, math.sqrt(96))) < Z_LIMIT
        assert abs(self.z(real * imag, 1)) < Z_LIMIT
        assert abs(self.z((real**2 - 1) * (imag**2 - 1), 2)) < Z_LIMIT

    @pytest.mark.parametrize("seed", EXTREMES)
    def test_distribution(self, seed):
        radius, half_angle = (
            part.double().numpy().ravel()
            for part in circular_normal(np.array([seed]), self.SHAPE, CPU)
        )
        real, imag = normals(np.array([seed]), self.SHAPE)
        assert stats.kstest(radius, "rayleigh").pvalue > 1e-3
        assert stats.kstest(half_angle / np.pi + 0.5, "uniform").pvalue > 1e-3
        assert stats.kstest(real.ravel(), "norm").pvalue > 1e-3
        assert stats.kstest(imag.ravel(), "norm").pvalue > 1e-3

    def test_the_tail_is_there(self):
        radius, _ = circular_normal(np.arange(40), (1000, 1000), CPU)
        expected = radius.numel() * math.exp(-(5**2) / 2)  # 149
        assert abs((radius > 5).sum().item() - expected) < Z_LIMIT * math.sqrt(expected)

    def test_radius_and_angle_are_independent(self):
        radius, half_angle = circular_normal(np.arange(1), self.SHAPE, CPU)
        seen = np.histogram2d(
            radius.numpy().ravel(),
            half_angle.numpy().ravel(),
            bins=[
                np.sqrt(-2 * np.log(np.linspace(1, 0, 9) + 1e-30)),
                np.linspace(-1.6, 1.6, 9),
            ],
        )[0]
        assert stats.chi2_contingency(seen).pvalue > 1e-3

    @pytest.mark.parametrize(("down", "right"), [(0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (2, 0)])
    def test_pixels_are_independent(self, down, right):
        parts = [part[0] for part in normals(np.array([5]), self.SHAPE)]
        radii = np.hypot(*parts) ** 2 / 2 - 1  # exponential: mean 0 and deviation 1
        rows, columns = self.SHAPE
        for one, other in [*itertools.product(parts, parts), (radii, radii)]:
            products = one[down:, right:] * other[: rows - down, : columns - right]
            assert abs(self.z(products, 1)) < Z_LIMIT

    def test_seeds_are_independent(self):
        seeds = np.concatenate([np.arange(12), EXTREMES[4:]])
        real, imag = (part.reshape(len(seeds), -1) for part in normals(seeds, self.SHAPE))
        every = np.concatenate([real, imag, (real**2 + imag**2) / 2 - 1])
        correlation = np.corrcoef(every) - np.eye(len(every))
        assert np.abs(correlation).max() * math.sqrt(self.N) < Z_LIMIT + 0.5  # of 1128 pairs
