"""Motion, ghosting, spike and bias against TorchIO and MONAI, fed with the same parameters.

The references keep the real part of the image, where this package shows the magnitude; the helper
`real_part` takes it of the corrupted k-space. They count pixels from the first one, where this
package counts from the centre; what follows from that is worked out beside each test.
"""

import warnings
from dataclasses import asdict

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import Geometry, KSpace, Params
from artifacts_sim.acquisition.fourier import PE, RO, to_image, to_kspace

pytestmark = pytest.mark.slow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of their own, as they are imported
    tio = pytest.importorskip("torchio", reason="needs TorchIO")
    monai = pytest.importorskip("monai.transforms", reason="needs MONAI")

SIZES = [(32, 38), (35, 39)]  # even and odd
every_size = pytest.mark.parametrize("size", SIZES, ids=str)


def object_in(size, seed=0):
    """A textured block with a margin of a quarter, maximum 1: (H, W) float32."""
    x, (H, W) = np.zeros(size, np.float32), size
    inside = x[H // 4 : -(H // 4), W // 4 : -(W // 4)]
    inside[...] = np.random.default_rng(seed).uniform(0.2, 1, inside.shape)
    return x / x.max()


def torchio(transform, x):
    """Apply to one slice, stored as (1, 1, H, W): on (1, H, W, 1) Motion splices nothing."""
    image = tio.ScalarImage(tensor=torch.from_numpy(x)[None, None])
    return transform(image).numpy()[0, 0]


def params_of(art, knob, **draws):
    columns = {name: np.asarray([value]) for name, value in draws.items()}
    return Params(art.name, asdict(art), knob, columns)


def spectrum(x):
    samples = to_kspace(to_kspace(torch.from_numpy(x)[None], PE), RO)
    return KSpace(samples, Geometry(pixel_mm=(1.0, 1.0)))


def real_part(kspace):
    return to_image(to_image(kspace.samples, PE), RO)[0].real.numpy()


def apply(art, x, params):
    return art.apply(torch.from_numpy(x)[None], params)[0].numpy()


class TestMotion:
    DEGREES = np.array([6.0, -4.0, 9.0])
    SHIFTS_MM = np.array([[1.0, -2.5], [-1.5, 0.7], [2.0, 1.2]])

    def reference(self, n, times):
        """Rotations about the x axis, translations along y and z, which are H and W."""
        none = np.zeros(n)
        return tio.Motion(
            degrees=np.stack([self.DEGREES[:n], none, none], axis=1),
            translation=np.column_stack([none, self.SHIFTS_MM[:n]]),
            times=times,
            image_interpolation="linear",
        )

    def about_centre(self, size, pose):
        """The shift of r that makes R (r - shift) about the centre of R p + t about pixel (0, 0).

        SimpleITK's y axis points against H.
        """
        angle, (y, z) = np.deg2rad(self.DEGREES[pose]), self.SHIFTS_MM[pose]
        rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        centre = (np.array(size) - 1) / 2
        return -centre - rotation.T @ (np.array([-y, z]) - centre)

    @every_size
    @pytest.mark.parametrize(
        ("starts", "poses"),
        [
            pytest.param((10, 24), [0, 1], id="around DC"),
            pytest.param((9, 13), [1, 0], id="before DC"),
            pytest.param((20, 27), [0, 1], id="after DC"),
            pytest.param((7, 11, 25), [1, 0, 2], id="three"),
        ],
    )
    def test_torchio(self, size, starts, poses):
        """Events lie before the lines `starts`; `poses` says which pose each moved segment has.

        TorchIO exchanges the resting spectrum, its first, with that of the segment of DC.
        """
        x, n, n_lines = object_in(size), len(starts), size[1]
        art = artifacts_sim.get("motion", movements=n, mm_per_degree=1.0, order="sequential")
        params = params_of(
            art,
            1.0,
            event_time=np.array(starts) / n_lines,
            unit_rotation=self.DEGREES[poses],
            unit_shift=np.stack([self.about_centre(size, pose) for pose in poses]),
        )
        expected = torchio(self.reference(n, (np.array(starts) + 0.5) / n_lines), x)
        y = real_part(art.corrupt(spectrum(x), params))
        np.testing.assert_allclose(y, expected, rtol=0, atol=1e-5)


class TestGhosting:
    @every_size
    @pytest.mark.parametrize("n", [2, 3, 4, 5, 7])
    def test_torchio(self, size, n):
        """TorchIO weakens every n-th line, counted from the first: n sinusoids, of periods n / j.

        It spares the line of DC, number 19 for these sizes, which is no n-th line.
        """
        x, strength, first = object_in(size), 0.7, -(size[1] // 2)
        art, clean = artifacts_sim.get("ghosting"), spectrum(x)
        expected = torchio(tio.Ghosting(num_ghosts=n, axis=2, intensity=strength, restore=None), x)
        y = (1 - strength / n) * real_part(clean)
        for j in range(1, n):
            params = params_of(
                art,
                1.0,
                period_lines=n / j,
                cycle_phase_rad=-2 * np.pi * j * first / n,
                modulation_phase_rad=0.0,
            )
            ghost = real_part(art.corrupt(clean, params)) - real_part(clean)
            y -= strength / n * ghost
        np.testing.assert_allclose(y, expected, rtol=0, atol=2e-6)


def at_sample(art, knob, size, sample, phase_rad):
    """Parameters of one spike at a sample of the centred k-space."""
    k = np.array(sample) - np.array(size) // 2
    frequency = 2 * k / np.array(size)
    return params_of(art, knob, frequency_of_nyquist=frequency[None], phase_rad=[phase_rad])


def phase_of_first_pixel(size, sample):
    """What makes the wave's phase 0 there, as it is the references' origin."""
    k = np.array(sample) - np.array(size) // 2
    return 2 * np.pi * float((k * (np.array(size) // 2) / size).sum())


class TestSpike:
    @every_size
    @pytest.mark.parametrize("ratio", [0.3, 1.0])
    def test_torchio(self, size, ratio):
        """The real part of a one-sided spike is a two-sided one, whose sign the magnitude loses."""
        x, sample = object_in(size), (20, 13)
        place = (np.array([0, *sample]) + 0.5) / np.array([1, *size])
        expected = torchio(tio.Spike(spikes_positions=place[None], intensity=ratio), x)
        phase = phase_of_first_pixel(size, sample)
        for two_sided in (False, True):
            art = artifacts_sim.get("spike", two_sided=two_sided)
            params = at_sample(art, ratio, size, sample, phase)
            y = real_part(art.corrupt(spectrum(x), params))
            np.testing.assert_allclose(y, expected, rtol=0, atol=2e-6 * max(1, ratio))
        magnitude = apply(art, x, params)
        np.testing.assert_allclose(magnitude, np.abs(expected), rtol=0, atol=2e-6 * max(1, ratio))

    def test_torchio_of_several(self):
        """TorchIO takes the maximum anew for each: a spike on the spiked, and so on."""
        size, ratio, samples = SIZES[0], 0.5, [(20, 13), (5, 30), (12, 22)]
        x, art = object_in(size), artifacts_sim.get("spike")
        places = (np.array([[0, *sample] for sample in samples]) + 0.5) / np.array([1, *size])
        expected = torchio(tio.Spike(spikes_positions=places, intensity=ratio), x)
        kspace = spectrum(x)
        for sample in samples:
            phase = phase_of_first_pixel(size, sample)
            kspace = art.corrupt(kspace, at_sample(art, ratio, size, sample, phase))
        np.testing.assert_allclose(real_part(kspace), expected, rtol=0, atol=2e-6)

    @every_size
    def test_monai(self, size):
        """MONAI sets a sample's magnitude, and keeps its phase."""
        x, sample, ratio = object_in(size), (20, 13), 0.8
        before = spectrum(x).samples[0].numpy()
        total = np.abs(before).max() * ratio + np.abs(before[sample])
        log_magnitude = float(np.log(total * np.sqrt(x.size)))  # MONAI's transform is not unitary
        noise = monai.KSpaceSpikeNoise(loc=sample, k_intensity=log_magnitude)
        expected = np.asarray(noise(torch.from_numpy(x)[None]))[0]
        art = artifacts_sim.get("spike", two_sided=True)
        params = at_sample(art, ratio, size, sample, float(np.angle(before[sample])))
        y = real_part(art.corrupt(spectrum(x), params))
        np.testing.assert_allclose(y, expected, rtol=0, atol=2e-6)
        np.testing.assert_allclose(apply(art, x, params), np.abs(expected), rtol=0, atol=2e-6)


class TestBias:
    ORDERS = tuple((a, b) for a in range(4) for b in range(4) if 1 <= a + b <= 3)

    def for_torchio(self, c):
        """In its order of x^i y^j z^k; x, of one pixel, and the constant term have none."""
        return [
            c.get((j, k), 0.0) if i == 0 else 0.0
            for i in range(4)
            for j in range(4 - i)
            for k in range(4 - i - j)
        ]

    @every_size
    @pytest.mark.parametrize("seed", range(3))
    def test_torchio(self, size, seed):
        """TorchIO's coordinates reach 1 at the outermost pixels' centres, here at their edges.

        Every pixel is foreground, so that the knob is the peak to peak of the polynomial. Here its
        log gain is centred; there a random global gain is left.
        """
        rng = np.random.default_rng(seed)
        x = rng.uniform(0.8, 1, size).astype(np.float32)
        c = dict(zip(self.ORDERS, rng.uniform(-0.3, 0.3, 9), strict=True))
        expected = torchio(tio.BiasField(coefficients=self.for_torchio(c), order=3), x)
        u, v = (np.linspace(-1, 1, n) for n in size)
        p = sum(c[a, b] * np.outer(u**a, v**b) for a, b in self.ORDERS)
        stretch = [n / (n - 1) for n in size]
        ours = [c[a, b] * stretch[0] ** a * stretch[1] ** b for a, b in self.ORDERS]
        art = artifacts_sim.get("bias")
        y = apply(art, x, params_of(art, float(np.ptp(p)), coefficient=ours))
        global_gain = np.exp((p.max() + p.min()) / 2)
        np.testing.assert_allclose(y * global_gain, expected, rtol=1e-6)
