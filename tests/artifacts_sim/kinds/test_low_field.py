"""Low field: each of its three parts alone, their laws, and all of them together."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

import artifacts_sim
from artifacts_sim import ArtifactError, Geometry, KSpace, Params
from tests.support.artifacts import Z_LIMIT
from tests.support.gradients import gradients_hold, image_of

NO_NOISE = {"peak_snr": 1e12}
NO_CONTRAST = {"contrast_per_octave": 0.0}
NO_BLUR = {"pixel_exponent": 0.0}
TESLA = {"0.55 T": 0.55, "0.064 T": 0.064}
every_field = pytest.mark.parametrize("tesla", TESLA.values(), ids=TESLA)


def low_field(**options):
    return artifacts_sim.get("low_field", **options)


def octaves(tesla, native=1.5):
    return math.log2(native / tesla)


def apply(art, x, knob, geometry=None):
    params = art.sample(knob=knob, keys=["slice"], seed=0)
    return art.apply(torch.as_tensor(x)[None], params, geometry)[0].numpy()


def texture(size=(64, 72), seed=0):
    return np.random.default_rng(seed).uniform(0.1, 1, size)


class TestNoise:
    @every_field
    def test_alone_it_is_rician(self, tesla):
        art, x = low_field(**NO_CONTRAST, **NO_BLUR), torch.from_numpy(texture())[None]
        params = art.sample(knob=octaves(tesla), keys=["slice"], seed=0)
        sigma = math.sqrt((1.5 / tesla) ** 2 - 1) / 200
        noise = Params("rician", {}, sigma, {"field_seed": params.draws["field_seed"]})
        expected = artifacts_sim.get("rician").apply(x, noise)
        torch.testing.assert_close(art.apply(x, params), expected)

    @pytest.mark.parametrize(
        ("options", "exponent"),
        [
            ({"snr_exponent": 1.75, "regained_exponent": 0.0}, 1.75),
            ({"snr_exponent": 1.0}, 0.5),
        ],
    )
    def test_what_was_there_and_what_is_added_make_the_law(self, options, exponent):
        """Noise of 1 / SNR in both parts, and what is added: together r^exponent times as much."""
        art = low_field(**NO_CONTRAST, **NO_BLUR, peak_snr=400.0, **options)
        x = np.zeros((300, 300))
        x[0, 0] = 1
        y = apply(art, x, 2.0)[1:]
        total = (y**2).mean() / 2 + 400.0**-2
        assert total == pytest.approx((4.0**exponent / 400) ** 2, rel=Z_LIMIT / 300)

    @every_field
    def test_it_is_filtered_as_the_object_is(self, tesla):
        """White noise times the transfer function; the variance is the mean of its square."""
        x = np.zeros((256, 256))
        x[128, 128] = 1
        y = apply(low_field(**NO_CONTRAST), x, octaves(tesla))[:, :100]
        ratio = 1.5 / tesla
        sigma_px = math.sqrt(ratio ** (1 / 3) - 1) / 2.354820045
        f = (np.arange(256) - 128) / 256
        share = np.exp(-4 * (np.pi * sigma_px * f) ** 2).mean() ** 2
        expected = 2 * (ratio**2 - 1) / 200**2 * share
        independent = y.size * share
        assert (y**2).mean() == pytest.approx(expected, rel=Z_LIMIT * 1.5 / math.sqrt(independent))


class TestResolution:
    @every_field
    @pytest.mark.parametrize("pixel_mm", [(1.0, 1.0), (2.0, 0.5)], ids=["square", "oblong"])
    def test_samples_are_attenuated_by_a_gaussian(self, tesla, pixel_mm):
        ratio, size = 1.5 / tesla, (33, 40)
        ones = KSpace(torch.ones(1, *size, dtype=torch.complex128), Geometry(pixel_mm=pixel_mm))
        art = low_field(**NO_NOISE, **NO_CONTRAST)
        params = art.sample(knob=octaves(tesla), keys=["slice"], seed=0)
        samples = art.corrupt(ones, params).samples[0].numpy()
        sigma_mm = math.sqrt(ratio ** (1 / 3) - 1) / math.sqrt(8 * math.log(2))
        ro, pe = ((np.arange(n) - n // 2) / (n * mm) for n, mm in zip(size, pixel_mm, strict=True))
        f2 = ro[:, None] ** 2 + pe**2
        np.testing.assert_allclose(samples, np.exp(-2 * np.pi**2 * sigma_mm**2 * f2), atol=1e-9)

    def test_a_pixel_grows_by_the_sixth_root_of_the_field(self):
        """A Gaussian as wide as a pixel becomes r^(1/6) times as wide."""
        r = torch.arange(-64, 65, dtype=torch.float64)
        half = 8 * math.log(2)
        native_px = 8  # the image was enlarged: one pixel of before is eight of these
        point = torch.exp(-half / 2 * (r[:, None] ** 2 + r**2) / native_px**2)
        art = low_field(**NO_NOISE, **NO_CONTRAST)
        y = apply(art, point, 5, Geometry(pixel_mm=(1, 1), native=(16, 16)))
        width = lambda z: math.sqrt(half * float((z * r.numpy() ** 2).sum() / z.sum()))  # noqa: E731
        native_mm = 129 / 16
        expected = math.sqrt(width(point[64].numpy()) ** 2 + (2 ** (5 / 3) - 1) * native_mm**2)
        assert width(y[64]) == pytest.approx(expected, rel=1e-3)
        assert expected == pytest.approx(2 ** (5 / 6) * native_px, rel=0.02)


class TestContrast:
    @every_field
    def test_alone_it_is_tissue_contrast(self, tesla):
        art, x = low_field(**NO_NOISE, **NO_BLUR), torch.from_numpy(texture())[None]
        params = art.sample(knob=octaves(tesla), keys=["slice"], seed=0)
        curve = {"unit_log_gain": params.draws["unit_log_gain"]}
        remap = Params("tissue_contrast", {}, 0.1 * octaves(tesla), curve)
        expected = artifacts_sim.get("tissue_contrast").apply(x, remap)
        torch.testing.assert_close(art.apply(x, params), expected, rtol=0, atol=1e-9)

    def test_it_is_a_scans(self):
        params = low_field().sample(knob=1, keys=["a", "b"], scans=["s", "s"], seed=0)
        one, other = params.draws["unit_log_gain"]
        assert np.array_equal(one, other)
        assert params.draws["field_seed"][0] != params.draws["field_seed"][1]


@every_field
def test_without_noise_it_is_scipys_blur_of_the_remapped_object(tesla):
    art, x = low_field(**NO_NOISE), texture()
    remapped = apply(low_field(**NO_NOISE, **NO_BLUR), x, octaves(tesla))
    y = apply(art, x, octaves(tesla), Geometry(pixel_mm=(1.0, 1.0)))
    sigma = math.sqrt((1.5 / tesla) ** (1 / 3) - 1) / 2.354820045
    transfer = [np.exp(-2 * (np.pi * sigma * np.fft.fftfreq(n)) ** 2) for n in x.shape]
    expected = np.fft.ifft2(np.fft.fft2(remapped) * np.outer(*transfer)).real
    np.testing.assert_allclose(y, expected, atol=1e-9)
    # SciPy samples the Gaussian, which is coarse of one narrower than a pixel.
    np.testing.assert_allclose(y, gaussian_filter(remapped, sigma, mode="wrap"), atol=0.2)


class TestSeverity:
    def test_the_levels_are_fields_of_scanners(self):
        knob = low_field().knob
        fields = [1.5 / 2**value for value in knob.physical]
        assert fields == pytest.approx([0.55, 0.3, 0.2, 0.1, 0.064], rel=0.005)
        assert 3 / 2**knob.limit == pytest.approx(0.05, rel=0.005)

    @pytest.mark.parametrize(
        "part", [{}, NO_NOISE | NO_BLUR, NO_NOISE | NO_CONTRAST, NO_BLUR | NO_CONTRAST], ids=str
    )
    def test_the_damage_grows_from_nothing(self, part):
        x = texture()
        knobs = (1e-9, 1e-4, 0.1, *low_field().knob.physical, low_field().knob.limit)
        damage = [np.square(apply(low_field(**part), x, knob) - x).mean() for knob in knobs]
        assert damage[0] < 1e-12
        assert damage == sorted(damage)

    def test_peak_snr_at_low_fields(self):
        """The brightest pixel over the noise of a flat part: what the docstring's figures make."""
        x = np.zeros((256, 256))
        x[:, 128:] = 1
        for tesla, snr in ((0.55, 98), (0.064, 18)):
            y = apply(low_field(**NO_CONTRAST), x, octaves(tesla))[:, 140:240]
            assert y.mean() / y.std() == pytest.approx(snr, rel=0.1)


@pytest.mark.parametrize("options", [{}, NO_BLUR, NO_CONTRAST], ids=str)
@pytest.mark.parametrize(
    "seen", [torch.clone, lambda x: x * torch.exp(1j * x)], ids=["real", "phase"]
)
def test_the_derivatives_are_right(options, seen):
    assert gradients_hold(low_field(**options), seen(image_of((5, 6))), 2.0)


@pytest.mark.parametrize(
    "options",
    [
        {"peak_snr": 0.0},
        {"peak_snr": -1.0},
        {"snr_exponent": 0.5},
        {"regained_exponent": -0.1},
        {"pixel_exponent": -1.0},
        {"contrast_per_octave": math.inf},
    ],
    ids=str,
)
def test_bad_options_are_refused(options):
    (name,) = options
    with pytest.raises(ArtifactError, match=f"the option {name} is not a"):
        low_field(**options)
