import json
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

import mrimodels
from mrimodels import NORMS, ModelError

META = {
    "epoch": 3,
    "auroc": 0.75,
    "norm": "group",
    "labels": ["acl"],
    "note": None,
    "deep": {"ok": [True]},
}


class Planted:
    """Makes a file when a careless loader unpickles it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def spec(make_spec):
    return make_spec()


@pytest.fixture
def saved(tmp_path, spec):
    path = tmp_path / "model.pt"
    mrimodels.save(path, mrimodels.build(spec), spec, META)
    return path


def rewrite(path, **changes):
    content = torch.load(path, weights_only=True)
    torch.save({**content, **changes}, path)


@pytest.mark.parametrize("norm", NORMS)
def test_a_network_comes_back_bit_for_bit_in_eval_mode(tmp_path, make_spec, draw, norm):
    spec = make_spec(norm=norm, head="pool10", dropout=0.25, norm_eps=1e-4)
    model = mrimodels.build(spec, seed=3)
    mrimodels.key_dropout(model, torch.Generator().manual_seed(0))
    x = draw(4, 1, 32, 32)
    model(x).sum().backward()  # moves batch norm's running statistics
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    mrimodels.save(tmp_path / "model.pt", model, spec)
    loaded, loaded_spec = mrimodels.load(tmp_path / "model.pt")
    assert loaded_spec == spec
    assert not loaded.training
    assert torch.equal(loaded(x), model.eval()(x))
    state, loaded_state = model.state_dict(), loaded.state_dict()
    assert state.keys() == loaded_state.keys()
    assert all(torch.equal(state[name], loaded_state[name]) for name in state)


def test_a_loaded_network_can_be_trained_on(saved, draw):
    model, _ = mrimodels.load(saved)
    model.train()(draw(2, 1, 32, 32)).sum().backward()
    assert all(p.requires_grad and p.grad is not None for p in model.parameters())


def test_a_network_loads_on_the_device_asked_for(saved, device):
    model, _ = mrimodels.load(saved, device)
    assert {p.device.type for p in model.parameters()} == {device}


def test_a_network_is_saved_alike_from_any_device_and_memory_format(tmp_path, saved, device):
    model, spec = mrimodels.load(saved, device)
    model.to(memory_format=torch.channels_last)
    mrimodels.save(tmp_path / "again.pt", model, spec, META)
    assert (tmp_path / "again.pt").read_bytes() == saved.read_bytes()


def test_equal_content_is_equal_bytes_whatever_the_objects(tmp_path, saved, spec):
    other_objects = json.loads(json.dumps(META))
    mrimodels.save(tmp_path / "other name.pt", mrimodels.build(spec), spec, other_objects)
    assert (tmp_path / "other name.pt").read_bytes() == saved.read_bytes()


def test_the_file_holds_the_weights_and_not_the_storage_they_are_cut_from(tmp_path, saved, spec):
    model = mrimodels.build(spec)
    stem = model.body.stem
    roomy = torch.empty(1_000_000)[: stem.weight.numel()].view_as(stem.weight)
    stem.weight = torch.nn.Parameter(roomy.copy_(stem.weight.detach()))
    mrimodels.save(tmp_path / "cut.pt", model, spec, META)
    assert (tmp_path / "cut.pt").stat().st_size == saved.stat().st_size


def test_meta_comes_back_as_it_went(saved):
    assert mrimodels.load_meta(saved) == META


def test_no_meta_is_an_empty_dict(tmp_path, spec):
    mrimodels.save(tmp_path / "model.pt", mrimodels.build(spec), spec)
    assert mrimodels.load_meta(tmp_path / "model.pt") == {}


@pytest.mark.parametrize(
    ("meta", "where"),
    [
        ({"auroc": np.float64(0.5)}, r"meta\['auroc'\].*received float64"),
        ({"curve": [1, (2, 3)]}, r"meta\['curve'\]\[1\].*received tuple"),
        ({"deep": {"mean": torch.zeros(2)}}, r"meta\['deep'\]\['mean'\].*received Tensor"),
        ({"levels": {1: 0.5}}, r"meta\['levels'\].*str keys.*received dict"),
    ],
)
def test_meta_of_other_than_plain_values_is_refused(tmp_path, spec, meta, where):
    with pytest.raises(ModelError, match=where):
        mrimodels.save(tmp_path / "model.pt", mrimodels.build(spec), spec, meta)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("part", ["spec", "state", "meta", "extra"])
def test_a_pickled_object_is_refused_and_never_run(saved, tmp_path, part):
    content = torch.load(saved, weights_only=True)
    torch.save({**content, part: Planted(tmp_path / "ran")}, saved)
    with pytest.raises(ModelError, match=r"plain values and tensors only.*UnpicklingError"):
        mrimodels.load(saved)
    with pytest.raises(ModelError, match="plain values and tensors only"):
        mrimodels.load_meta(saved)
    assert not (tmp_path / "ran").exists()


def test_a_bare_pickle_is_refused_and_never_run(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(pickle.dumps(Planted(tmp_path / "ran")))
    with pytest.raises(ModelError, match="not a zip file"):
        mrimodels.load(path)
    assert not (tmp_path / "ran").exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        ModelError,
        match=r"not a readable file; received .*nowhere\.pt \(FileNotFoundError: No such",
    ):
        mrimodels.load(tmp_path / "nowhere.pt")


def test_a_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(ModelError, match="not a readable file"):
        mrimodels.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"epoch,loss\n1,0.5\n", b"PK\x03\x04 not really"])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"not an undamaged file of mrimodels\.save"):
        mrimodels.load(path)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused(saved, kept):
    data = saved.read_bytes()
    saved.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(ModelError, match="not an undamaged file"):
        mrimodels.load(saved)


def test_a_single_flipped_bit_in_the_weights_is_refused(saved):
    with zipfile.ZipFile(saved) as archive:
        largest = max(archive.infolist(), key=lambda info: info.file_size)
    data = bytearray(saved.read_bytes())
    data[largest.header_offset + largest.file_size // 2] ^= 1
    saved.write_bytes(data)
    with pytest.raises(ModelError, match=r"checksum of .* differs"):
        mrimodels.load(saved)


def test_weights_alone_are_no_checkpoint(tmp_path, spec):
    torch.save(mrimodels.build(spec).state_dict(), tmp_path / "model.pt")
    with pytest.raises(ModelError, match="no format number"):
        mrimodels.load(tmp_path / "model.pt")


def test_another_format_is_named(saved):
    rewrite(saved, format=2)
    with pytest.raises(
        ModelError, match="not of format 1, which this version reads; received format 2"
    ):
        mrimodels.load(saved)


@pytest.mark.parametrize("part", ["spec", "state", "meta"])
def test_a_missing_part_is_refused(saved, part):
    rewrite(saved, **{part: None})
    with pytest.raises(ModelError, match="spec, state or meta is missing"):
        mrimodels.load(saved)


def test_a_spec_with_an_unknown_field_is_refused(saved):
    content = torch.load(saved, weights_only=True)
    rewrite(saved, spec={**content["spec"], "attention": True})
    with pytest.raises(ModelError, match=r"not have the fields of ModelSpec; received .*attention"):
        mrimodels.load(saved)


def test_a_spec_that_breaks_a_rule_is_refused(saved):
    content = torch.load(saved, weights_only=True)
    rewrite(saved, spec={**content["spec"], "norm": "weight"})
    with pytest.raises(ModelError, match="norm is not one of"):
        mrimodels.load(saved)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda state: state.pop("head.linear.bias"), "expected .*float32 .3,.; received none"),
        (lambda state: state.update(extra=torch.zeros(1)), "first extra, expected none"),
        (lambda state: state.update({"head.linear.bias": 3}), "received int"),
        (lambda state: state.update({"head.linear.bias": torch.zeros(4)}), "received .*4,"),
        (lambda state: state.update({"head.linear.bias": torch.zeros(3).half()}), "float16"),
    ],
)
def test_weights_that_do_not_fit_the_spec_are_refused(saved, change, reason):
    state = torch.load(saved, weights_only=True)["state"]
    change(state)
    rewrite(saved, state=state)
    with pytest.raises(ModelError, match=f"does not hold the tensors of .*1 differ.*{reason}"):
        mrimodels.load(saved)


@pytest.mark.parametrize("changes", [{"width": 8}, {"norm": "batch"}, {"head": "pool10"}])
def test_saving_under_another_spec_is_refused(tmp_path, spec, make_spec, changes):
    with pytest.raises(ModelError, match="the model does not hold the tensors of ModelSpec"):
        mrimodels.save(tmp_path / "model.pt", mrimodels.build(spec), make_spec(**changes))
    assert list(tmp_path.iterdir()) == []


def test_saving_into_a_missing_folder_is_refused(tmp_path, spec):
    with pytest.raises(
        ModelError, match=r"folder for the checkpoint does not exist; received .*; create"
    ):
        mrimodels.save(tmp_path / "none" / "model.pt", mrimodels.build(spec), spec)


def test_a_save_that_fails_leaves_the_old_file_whole_and_nothing_beside_it(
    saved, spec, monkeypatch
):
    before = saved.read_bytes()

    def full_disk(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        mrimodels.save(saved, mrimodels.build(spec, seed=1), spec)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_save_replaces_the_old_file(saved, spec):
    mrimodels.save(saved, mrimodels.build(spec, seed=1), spec, {"epoch": 4})
    assert mrimodels.load_meta(saved) == {"epoch": 4}
    assert list(saved.parent.iterdir()) == [saved]


def test_a_checkpoint_from_before_groups_could_be_set_loads(saved):
    content = torch.load(saved, weights_only=True)
    for setting in ("norm_groups", "norm_group_channels"):
        del content["spec"][setting]
    torch.save(content, saved)
    model, spec = mrimodels.load(saved)
    assert (spec.norm_groups, spec.norm_group_channels) == (None, None)
    assert all(
        torch.equal(model.state_dict()[name], content["state"][name]) for name in model.state_dict()
    )


@pytest.mark.parametrize("setting", [{"norm_groups": 2}, {"norm_group_channels": 1}])
def test_the_setting_of_groups_is_kept(tmp_path, make_spec, draw, setting):
    spec = make_spec(**setting)
    model = mrimodels.build(spec).eval()
    mrimodels.save(tmp_path / "model.pt", model, spec)
    loaded, loaded_spec = mrimodels.load(tmp_path / "model.pt")
    x = draw(2, 1, 32, 32)
    assert loaded_spec == spec
    assert torch.equal(loaded(x), model(x))
    assert not torch.equal(loaded(x), mrimodels.build(make_spec()).eval()(x))


def recompressed(path, compression, padding=0):
    """The same parts, compressed; with as many zeros in one of them."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content + (b"\0" * padding if name.endswith("/0") else b""))


def test_an_archive_that_swells_is_not_unpacked(saved):
    recompressed(saved, zipfile.ZIP_DEFLATED, padding=1 << 24)
    assert saved.stat().st_size < 1 << 20
    with pytest.raises(ModelError, match=r"BadZipFile|parts of it are compressed"):
        mrimodels.load(saved)


def test_parts_that_share_their_bytes_are_not_unpacked(saved):
    """An archive of overlapping parts is as large inside as one likes."""
    recompressed(saved, zipfile.ZIP_STORED, padding=1 << 16)
    with zipfile.ZipFile(saved, "a") as archive:
        largest = max(archive.infolist(), key=lambda part: part.file_size)
        archive.filelist += [largest] * 50
        archive._didModify = True
    with pytest.raises(ModelError, match=r"its parts are larger than the file|undamaged"):
        mrimodels.load(saved)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda one: one.to_sparse(), "torch.sparse_coo"),
        (lambda one: torch.empty_like(one, device="meta"), "on meta"),
    ],
)
def test_tensors_that_hold_no_values_are_refused(saved, make, said):
    state = torch.load(saved, weights_only=True)["state"]
    state["head.linear.bias"] = make(state["head.linear.bias"])
    rewrite(saved, state=state)
    with pytest.raises(ModelError, match=f"does not hold the tensors of .*{said}"):
        mrimodels.load(saved)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"n_outputs": 10**9}, "of a larger network than its tensors are"),
        ({"width": 10**12}, "of a larger network than its tensors are"),
        ({"norm": ["batch"]}, "norm is not one of"),
        ({"norm_groups": "2"}, "."),
        ({"arch": 3}, "arch is not one of"),
        ({1: 2}, "does not have the fields of ModelSpec"),
    ],
)
def test_a_spec_with_odd_fields_is_refused_before_a_network_is_made(saved, fields, said):
    content = torch.load(saved, weights_only=True)
    rewrite(saved, spec={**content["spec"], **fields})
    with pytest.raises(ModelError, match=said):
        mrimodels.load(saved)


def test_notes_that_are_not_plain_or_without_end_are_refused(saved):
    circle = []
    circle.append({"a": circle})
    deep = []
    for _ in range(60):
        deep = [deep]
    for meta in ({"a": torch.zeros(1)}, {"a": {1, 2}}, {"a": deep}):
        rewrite(saved, meta=meta)
        with pytest.raises(ModelError, match="spec or meta has other values"):
            mrimodels.load_meta(saved)
    rewrite(saved, meta={"a": circle})  # it holds nothing else; whoever reads it wants a text
    assert list(mrimodels.load_meta(saved)) == ["a"]


def test_a_network_of_another_spec_is_refused_before_it_is_made(saved, spec, make_spec):
    assert mrimodels.load_checkpoint(saved, expected=spec).spec == spec
    with pytest.raises(ModelError, match="the checkpoint is of another network than ModelSpec"):
        mrimodels.load_checkpoint(saved, expected=make_spec(norm="batch"))


@pytest.mark.parametrize("place", ["/dev/zero", "pipe", "a\0b"])
def test_what_is_no_file_is_not_waited_for(tmp_path, place):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="is not a readable file; received"):
        mrimodels.load(tmp_path / place)
