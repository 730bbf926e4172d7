"""Images and k-space: one operator set, whatever comes in; held over every artifact and kind."""

from dataclasses import fields, replace
from typing import Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import ArtifactError, Geometry, KSpace
from artifacts_sim.acquisition.fourier import PE, RO, to_image, to_kspace
from artifacts_sim.acquisition.operators import Stage

pytestmark = pytest.mark.slow

KEYS = ["patient-1/slice-0", "patient-1/slice-1", "patient-2/slice-0"]
SIZES = [(24, 32), (25, 31), (31, 24), (1, 6), (7, 1)]
every_size = pytest.mark.parametrize("size", SIZES, ids=str)


def kinds(artifact):
    """The artifact with its defaults, then with every other value of each option."""
    yield artifact
    hints = get_type_hints(type(artifact))
    for field in fields(artifact):
        default = getattr(artifact, field.name)
        if isinstance(default, bool):
            others = [not default]
        elif isinstance(default, int):
            others = [default + 1, default + 3]
        elif get_origin(hints[field.name]) is Literal:
            others = [value for value in get_args(hints[field.name]) if value != default]
        else:
            others = []
        for other in others:
            yield replace(artifact, **{field.name: other})


KINDS = [kind for name in artifacts_sim.names() for kind in kinds(artifacts_sim.get(name))]
every_kind = pytest.mark.parametrize("art", KINDS, ids=repr)


def drawn(art, places=(0, 1, 2), level=4):
    """Parameters of the slices at these places."""
    keys, scans = [KEYS[i] for i in places], ["1" if i < 2 else "2" for i in places]
    return art.sample(
        level=level, keys=keys, scans=scans, numbers=list(places), seed=5, grid="physical"
    )


def with_phase(x):
    phase = torch.linspace(-2, 3, x.shape[-1]) + torch.linspace(0, 1, x.shape[-2])[:, None]
    return torch.polar(x, phase.expand(x.shape))


def spectrum(image):
    return to_kspace(to_kspace(image, PE), RO)


def coils_of(image, n=3):
    """The image seen by n coils of smooth sensitivities, (B, n, RO, PE)."""
    u = torch.linspace(-1, 1, image.shape[-1])
    gains = torch.stack([torch.polar(torch.exp(-((u - c) ** 2)), c * u) for c in range(n)])
    return image[:, None] * gains[:, None, :]


@every_kind
@every_size
def test_an_image_and_its_k_space_agree(art, size, phantoms):
    z = with_phase(phantoms(3, *size))
    params = drawn(art)
    from_image = art.apply(z, params)
    from_kspace = art.apply(KSpace(spectrum(z)), params)
    limit = 1e-5 * float(from_image.max())
    torch.testing.assert_close(from_kspace, from_image, rtol=0, atol=limit)


@every_kind
def test_corrupted_k_space_reconstructs_to_the_corrupted_image(art, phantoms):
    k = KSpace(spectrum(coils_of(with_phase(phantoms(3, 24, 31)))), Geometry(crop=(20, 18)))
    params = drawn(art)
    if art.stages[-1] > Stage.ADDED:
        with pytest.raises(
            ArtifactError, match=f"what is made of the k-space.* received '{art.name}'; use `apply`"
        ):
            art.corrupt(k, params)
        return
    corrupted = art.corrupt(k, params)
    assert corrupted.samples.shape[:3] == k.samples.shape[:3]
    if art.stage != Stage.ENCODING:
        assert corrupted.samples.shape == k.samples.shape
    identity = drawn(art, level=0)
    y = art.apply(k, params)
    assert y.shape == (3, 20, 18)
    again, beside = art.apply(corrupted, identity), 0
    if again.shape != y.shape:  # of a smaller field of view, which lies in the middle of y
        beside = y.shape[2] // 2 - again.shape[2] // 2
        y = y[:, :, beside : beside + again.shape[2]]
    torch.testing.assert_close(again, y, rtol=0, atol=1e-5)


@every_kind
def test_zero_severity_returns_k_space_bit_for_bit(art, phantoms):
    k = KSpace(spectrum(coils_of(phantoms(3, 12, 15))))
    before = k.samples.clone()
    if art.stages[-1] <= Stage.ADDED:
        same = art.corrupt(k, drawn(art, level=0))
        assert torch.equal(same.samples, before)
    art.apply(k, drawn(art))
    assert torch.equal(k.samples, before)


@every_kind
@pytest.mark.parametrize("coils", [1, 3])
def test_a_batch_of_k_space_equals_its_slices_one_by_one(art, coils, phantoms):
    samples = spectrum(coils_of(with_phase(phantoms(3, 31, 20)), coils))
    together = art.apply(KSpace(samples), drawn(art))
    assert (together >= 0).all()
    for i in range(3):
        alone = art.apply(KSpace(samples[i : i + 1]), drawn(art, [i]))
        assert torch.equal(alone[0], together[i])


@every_kind
@pytest.mark.parametrize("seen", [torch.clone, with_phase], ids=["real", "complex"])
def test_every_kind_treats_a_batch_as_its_slices(art, seen, phantoms):
    x = seen(phantoms(3, 33, 20))
    together = art.apply(x, drawn(art))
    assert together.isfinite().all()
    assert (together >= 0).all()
    for i in range(3):
        assert torch.equal(art.apply(x[i : i + 1], drawn(art, [i]))[0], together[i])


@every_kind
def test_every_kind_takes_the_real_path_to_the_same_pixels(art, phantoms):
    x = phantoms(3, 31, 24)
    params = drawn(art)
    through_complex = art.apply(x.to(torch.complex64), params)
    torch.testing.assert_close(art.apply(x, params), through_complex, rtol=0, atol=5e-6)


@every_kind
def test_every_kind_is_drawn_again_from_its_record(art):
    assert artifacts_sim.drawn_by(drawn(art)) == art


@every_kind
def test_the_phase_axis_is_selectable(art, phantoms):
    x, params = phantoms(3, 24, 30), drawn(art)
    along_h = art.apply(x, params, Geometry(phase_axis="H"))
    turned = art.apply(x.transpose(1, 2).contiguous(), params).transpose(1, 2)
    assert torch.equal(along_h, turned)
    assert along_h.is_contiguous()


@every_kind
def test_an_image_is_the_centre_of_its_encoded_matrix(art, phantoms):
    """Spacings and depths follow the encoded field of view, not the pixels that are shown."""
    x, params = phantoms(3, 20, 21), drawn(art)
    pixel = (0.8, 1.1)
    small = Geometry(encoded=(27, 40), pixel_mm=pixel)
    padded = torch.zeros(3, 27, 40)
    padded[:, 13 - 10 : 13 + 10, 20 - 10 : 20 + 11] = x
    if art.name == "spike":  # a wave as strong as those of the pixels that are shown
        larger = padded[0].numel() / x[0].numel()
        params = params.with_knob(params.knob / larger)
    fat = torch.rand(3, 20, 21, generator=torch.Generator().manual_seed(0))
    y = art.apply(x, params, small, fat=fat)
    if art.name == "spike":
        params = params.with_knob(params.knob * larger)
    whole_fat = torch.zeros_like(padded)
    whole_fat[:, 13 - 10 : 13 + 10, 20 - 10 : 20 + 11] = fat
    if art.name in ("receive", "sense"):  # coils stand around the pixels that are shown
        cut = KSpace(spectrum(padded), Geometry(pixel_mm=pixel, crop=(20, 21)))
        torch.testing.assert_close(y, art.apply(cut, params), rtol=0, atol=1e-5)
        return
    whole = art.apply(padded, params, Geometry(pixel_mm=pixel), fat=whole_fat)
    expected = whole[:, 13 - 10 : 13 + 10, 20 - 10 : 20 + 11]
    torch.testing.assert_close(y, expected, rtol=1e-6, atol=1e-6)


class TestNoiseFallsOnAcquiredLines:
    """The figures of a fastMRI knee: 372 lines measured, zero-filled to 400."""

    N, LINES, SIGMA = 400, range(14, 386), 0.05

    def noise(self):
        art = artifacts_sim.get("rician")
        k = KSpace(torch.zeros(4, 64, self.N, dtype=torch.complex64), Geometry(acquired=self.LINES))
        k.samples[:, 32, self.N // 2] = 1 * (64 * self.N) ** 0.5  # a flat image of 1
        params = art.sample(knob=self.SIGMA, keys=list("abcd"), seed=0)
        return (art.corrupt(k, params).samples - k.samples).numpy()

    def test_the_other_lines_stay_empty(self):
        missing = np.setdiff1d(np.arange(self.N), self.LINES)
        noise = self.noise()
        assert not noise[..., missing].any()
        measured = noise[..., list(self.LINES)]
        expected = 2 * self.SIGMA**2  # real and imaginary part
        spread = 4.5 * expected / np.sqrt(measured.size)
        assert (np.abs(measured) ** 2).mean() == pytest.approx(expected, abs=spread)

    def test_variance_and_correlation_in_the_image(self):
        noise = to_image(to_image(torch.from_numpy(self.noise()), PE), RO).numpy()
        share = len(self.LINES) / self.N
        variance = (np.abs(noise) ** 2).mean() / (2 * self.SIGMA**2)
        assert variance == pytest.approx(0.930, abs=4.5 * share / np.sqrt(noise.size * share))
        neighbours = (noise * np.roll(noise, 1, axis=-1).conj()).mean().real
        correlation = neighbours / (np.abs(noise) ** 2).mean()
        expected = np.sin(np.pi * share) / (self.LINES.stop - self.LINES.start)
        expected /= np.sin(np.pi / self.N)
        assert abs(expected) == pytest.approx(0.0745, abs=5e-4)  # Dirichlet's kernel at lag 1
        assert abs(correlation) == pytest.approx(abs(expected), abs=4.5 / np.sqrt(noise.size))

    def test_an_image_of_these_lines_gets_the_same_noise(self, phantoms):
        art = artifacts_sim.get("rician")
        geometry = Geometry(acquired=range(4, 27))
        z = with_phase(phantoms(3, 20, 30))
        params = art.sample(level=4, keys=KEYS, seed=5, grid="physical")
        from_image = art.apply(z, params, geometry)
        from_kspace = art.apply(KSpace(spectrum(z), geometry), params)
        torch.testing.assert_close(from_kspace, from_image, rtol=0, atol=1e-5)

    def test_coils_are_independent(self):
        art = artifacts_sim.get("rician")
        k = KSpace(torch.ones(2, 3, 40, 40, dtype=torch.complex64))
        params = art.sample(knob=0.3, keys=KEYS[:2], seed=1)
        noise = (art.corrupt(k, params).samples - k.samples).flatten(2).numpy()
        correlation = np.abs(np.corrcoef(noise.reshape(6, -1)) - np.eye(6)).max()
        assert correlation < 4.5 / np.sqrt(1600)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.ones((1, 4, 4)), r"\(B, coil, RO, PE\); received ndarray"),
        (torch.ones(4, 4, dtype=torch.complex64), r"received \(4, 4\); add an axis"),
        (torch.ones(0, 4, 4, dtype=torch.complex64), r"non-empty .* received \(0, 4, 4\)"),
        (
            torch.ones(1, 4, 4),
            r"k-space is neither complex64 nor complex128; received torch.float32; convert",
        ),
        (
            torch.full((1, 4, 4), np.nan, dtype=torch.complex64),
            "values are not finite numbers .* received nan",
        ),
    ],
    ids=["ndarray", "rank", "empty", "dtype", "nan"],
)
def test_bad_k_space_is_refused(samples, message):
    with pytest.raises(ArtifactError, match=message):
        KSpace(samples)


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        (
            {"encoded": (9, 8)},
            r"does not fill its encoded matrix.* received \(8, 8\).*encoded=\(9, 8\)",
        ),
        ({"crop": (8, 9)}, r"crop is larger than it; received \(8, 8\)"),
        (
            {"acquired": [0, 8]},
            r"neither different numbers from 0 to (7|PE - 1), nor a truth .* received \[0, 8\]",
        ),
        ({"acquired": []}, r"one line at least; received \[\]"),
        ({"acquired": [0.5]}, r"neither different numbers from 0 to (7|PE - 1).* received \[0.5\]"),
        ({"acquired": [True, False]}, r"truth value for each line.* received \[True, False\]"),
        ({"acquired": [False] * 8}, r"one line at least; received \[False"),
        ({"native": (0, 8)}, r"native is not two whole numbers above 0.* received \(0, 8\)"),
        ({"pixel_mm": [(1, 1), (1, 2)]}, r"one pixel size per slice; received 2 pixel sizes for 1"),
        ({"pixel_mm": "1 mm"}, r"pixel sizes are not finite numbers.* received '1 mm'"),
        ({"pixel_mm": (1, 0)}, r"above 0 mm, \(RO, PE\), for all .* received \(1, 0\)"),
        ({"phase_axis": "x"}, r"'H' or 'W'; received 'x'"),
        (
            {"phase_axis": "H"},
            r"phase axis of k-space is not its last .* received phase_axis='H'; transpose",
        ),
    ],
    ids=str,
)
def test_bad_geometries_are_refused(geometry, message):
    with pytest.raises(ArtifactError, match=message):
        KSpace(torch.ones(1, 8, 8, dtype=torch.complex64), Geometry(**geometry))


def test_the_geometry_of_another_image_is_refused(phantoms):
    art = artifacts_sim.get("ghosting")
    params = art.sample(knob=0.5, keys=["a"], seed=0)
    for geometry in (Geometry(encoded=(8, 7)), Geometry(crop=(9, 8)), Geometry(crop=(4, 4))):
        with pytest.raises(ArtifactError, match=r"received \(8, 8\) \(RO, PE\) pixels for"):
            art.apply(phantoms(1, 8, 8), params, geometry)


def test_k_space_does_not_take_a_second_geometry():
    art = artifacts_sim.get("ghosting")
    k = KSpace(torch.ones(1, 8, 8, dtype=torch.complex64))
    with pytest.raises(ArtifactError, match="k-space has its own geometry"):
        art.apply(k, art.sample(knob=0.5, keys=["a"], seed=0), Geometry())


def test_the_centred_transform_is_orthonormal_and_puts_dc_in_the_middle():
    x = torch.rand(2, 6, 9)
    k = to_kspace(x, PE)
    assert float(k.abs().square().sum()) == pytest.approx(float(x.square().sum()), rel=1e-6)
    torch.testing.assert_close(k[..., 4].real, x.sum(-1) / 3, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(to_image(k, PE).real, x, rtol=0, atol=1e-6)
