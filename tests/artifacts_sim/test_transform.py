"""Artifacts in a pipeline: shapes, types, keys, loaders, other libraries, a worst-case search."""

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import artifacts_sim
from artifacts_sim import ArtifactError, Geometry, Shift, Transform

NOISE = Shift.of("rician", knob=0.1)


@pytest.fixture
def slices(phantoms):
    return phantoms(6, 24, 20)


class TestShapes:
    def test_a_slice_a_batch_and_a_channel_are_treated_alike(self, slices):
        damage, keys = Transform(NOISE), list("abcdef")
        batch = damage(slices, keys)
        assert batch.shape == slices.shape
        assert torch.equal(damage(slices[2], "c"), batch[2])
        assert torch.equal(damage(slices[:, None], keys)[:, 0], batch)
        assert torch.equal(batch, NOISE.apply(slices, NOISE.sample(keys=keys, seed=0)))

    def test_channels_of_a_slice_are_damaged_alike(self, slices):
        three = slices[:, None].repeat(1, 3, 1, 1)
        y = Transform(NOISE)(three)
        assert torch.equal(y[:, 0], y[:, 1])
        assert torch.equal(y[:, 0], y[:, 2])
        assert not torch.equal(y[0, 0] - three[0, 0], y[1, 0] - three[1, 0])

    @pytest.mark.parametrize("axis", [0, -1, 1])
    def test_a_volume_shares_what_is_a_scans(self, slices, axis):
        """One bias field for all slices, noise for each."""
        volume = slices[:1].expand(6, 24, 20).movedim(0, axis)
        shaded = Transform("bias", knob=1.5, slice_axis=axis)(volume).movedim(axis, 0)
        assert all(torch.equal(one, shaded[0]) for one in shaded)
        noisy = Transform(NOISE, slice_axis=axis)(volume).movedim(axis, 0)
        assert not any(torch.equal(one, noisy[0]) for one in noisy[1:])

    def test_volumes_with_channels_and_in_batches(self, slices):
        volume = slices.permute(1, 2, 0)  # (H, W, D), as TorchIO and MONAI store it
        damage = Transform(NOISE, slice_axis=-1)
        y = damage(volume, "one")
        assert torch.equal(damage(volume[None], "one")[0], y)
        both = torch.stack([volume, volume.flip(0)])[:, None]
        batch = damage(both, ["one", "two"])
        assert batch.shape == (2, 1, 24, 20, 6)
        assert torch.equal(batch[0, 0], y)
        assert torch.equal(batch[1, 0], damage(volume.flip(0), "two"))

    @pytest.mark.parametrize("shape", [(4,), (2, 2, 2, 4, 4)], ids=str)
    def test_other_shapes_are_refused(self, shape):
        with pytest.raises(ArtifactError, match=r"x is not \(H, W\), .* received \("):
            Transform(NOISE)(torch.ones(shape))

    def test_what_is_standardised_already_is_refused(self, slices):
        with pytest.raises(ArtifactError, match="before any standardisation"):
            Transform(NOISE)(slices - slices.mean())

    def test_pixel_sizes_go_with_their_slices(self, slices):
        damage, sizes = Transform("blur", knob=1.0), [(1.0, 1.0), (3.0, 2.0)]
        y = damage(slices[:2], pixel_mm=sizes)
        for i, size in enumerate(sizes):
            alone = Transform("blur", knob=1.0, geometry=Geometry(pixel_mm=size))
            assert torch.equal(y[i], alone(slices[i]))


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float64, torch.complex64], ids=str
)
def test_a_type_is_kept(slices, dtype):
    y = Transform(NOISE)(slices.to(dtype))
    assert y.dtype == (torch.float32 if dtype.is_complex else dtype)


class TestKeys:
    def test_without_keys_a_slice_is_named_by_its_content(self, slices):
        damage = Transform(NOISE, seed=3)
        together, order = damage(slices), [4, 1, 0, 5, 2, 3]
        assert torch.equal(damage(slices[order]), together[order])
        for i in range(6):
            assert torch.equal(damage(slices[i]), together[i])
        flat = torch.ones(2, 24, 20)
        flat[1, 0, 0] = 0.5  # one pixel makes it another slice
        noise = damage(flat) - flat
        assert abs(np.corrcoef(noise.flatten(1))[0, 1]) < 4.5 / 480**0.5

    def test_an_epoch_draws_anew(self, slices):
        damage = Transform(NOISE)
        first = damage(slices)
        damage.epoch = 1
        assert not torch.equal(damage(slices), first)
        damage.epoch = 0
        assert torch.equal(damage(slices), first)

    def test_a_key_for_each(self, slices):
        with pytest.raises(ArtifactError, match="received 2 keys for 6; name each"):
            Transform(NOISE)(slices, ["a", "b"])

    def test_a_shift_has_its_severity(self):
        with pytest.raises(ArtifactError, match=r"severity already.*level=3"):
            Transform(NOISE, level=3)


class _Slices(Dataset):
    def __init__(self, images):
        self.images, self.damage = images, Transform("motion", knob=4.0)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, place):
        return self.damage(self.images[place])


class TestPipelines:
    @pytest.mark.slow
    def test_in_the_workers_of_a_loader(self, slices):
        here = torch.cat(list(DataLoader(_Slices(slices), batch_size=4)))
        there = torch.cat(list(DataLoader(_Slices(slices), batch_size=3, num_workers=2)))
        assert torch.equal(here, there)

    def test_it_is_a_module_that_travels(self, slices):
        damage = Transform("motion", level=2, grid="physical")
        again = pickle.loads(pickle.dumps(damage))
        assert torch.equal(again(slices), damage(slices))
        network = torch.nn.Sequential(damage, torch.nn.Flatten())
        assert network(slices).shape == (6, 480)
        assert repr(damage) == "Transform(motion 2, seed=0)"

    def test_in_monai(self, slices):
        monai = pytest.importorskip("monai.transforms", reason="needs MONAI")
        pipeline = monai.Compose([monai.EnsureType(), Transform(NOISE, slice_axis=-1)])
        volume = slices.permute(1, 2, 0)[None]
        assert pipeline(volume).shape == volume.shape

    def test_in_torchio(self, slices):
        tio = pytest.importorskip("torchio", reason="needs TorchIO")
        damage = Transform(NOISE, slice_axis=-1)
        pipeline = tio.Compose([tio.Lambda(damage), tio.RescaleIntensity((0, 1))])
        subject = tio.Subject(t1=tio.ScalarImage(tensor=slices.permute(1, 2, 0)[None]))
        assert pipeline(subject).t1.shape == (1, 24, 20, 6)

    def test_compiled_it_returns_the_same_pixels(self, slices):
        damage = Transform("elastic", knob=4.0)
        network = torch.nn.Sequential(damage, torch.nn.ReLU())
        compiled = torch.compile(network, backend="eager")
        assert torch.equal(compiled(slices), network(slices))


def test_gradients_lead_to_a_worse_knob(slices):
    """A step along the gradient of the error finds more of it, as in a worst-case search."""
    art = artifacts_sim.get("ghosting")
    x = slices.double()
    params = art.sample(knob=0.3, keys=list("abcdef"), seed=0)
    knob = torch.full((6,), 0.3, dtype=torch.float64, requires_grad=True)
    damage = (art.apply(x, params.with_knob(knob)) - x).square().mean(dim=(1, 2))
    damage.sum().backward()
    assert (knob.grad > 0).all()
    worse = art.apply(x, params.with_knob(knob.detach() + 0.1)) - x
    assert (worse.square().mean(dim=(1, 2)) > damage.detach()).all()
