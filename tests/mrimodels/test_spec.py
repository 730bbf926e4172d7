import dataclasses

import pytest

from mrimodels import ARCHS, ModelError, ModelSpec


def test_the_defaults_are_those_of_the_study_but_for_the_head():
    spec = ModelSpec(arch="preact_resnet18", norm="batch", n_outputs=4)
    assert (spec.in_channels, spec.width, spec.stem_stride) == (1, 64, 1)
    assert (spec.head, spec.dropout, spec.norm_eps) == ("gap", 0.0, 1e-5)


def test_equal_specs_are_equal_and_hash_alike(make_spec):
    assert make_spec(dropout=0) == make_spec(dropout=0.0)
    assert hash(make_spec(norm_eps=1)) == hash(make_spec(norm_eps=1.0))
    assert make_spec(norm="layer") != make_spec(norm="group")


def test_a_spec_is_frozen(make_spec):
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_spec().width = 8


@pytest.mark.parametrize(
    ("field", "name", "nearest"),
    [
        ("arch", "preact_resnet-18", "preact_resnet18"),
        ("arch", "preact-resnet50", "preact_resnet50"),
        ("arch", "resnet-50", "resnet50"),
        ("norm", "Group", "group"),
        ("norm", "batchnorm", "batch"),
        ("norm", "batchrenorm", "batch_renorm"),
        ("norm", "layernorm2d", "layer2d"),
        ("head", "pool", "pool10"),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones_and_the_nearest(
    make_spec, field, name, nearest
):
    with pytest.raises(ModelError, match=f"{field} is not one of .*{nearest}.* '{nearest}'"):
        make_spec(**{field: name})


@pytest.mark.parametrize("name", [None, 3, ["group"]])
def test_a_name_must_be_a_string(make_spec, name):
    with pytest.raises(
        ModelError, match="norm is not one of batch, batch_renorm, evonorm_s0, frn, group"
    ):
        make_spec(norm=name)


@pytest.mark.parametrize("field", ["in_channels", "n_outputs", "width", "stem_stride"])
@pytest.mark.parametrize("value", [0, -1, 2.0, True, "2", None])
def test_counts_are_plain_positive_integers(make_spec, field, value):
    with pytest.raises(ModelError, match=f"{field} is not an integer.*received {value!r}"):
        make_spec(**{field: value})


def test_a_width_leaves_two_channels_for_a_group(make_spec):
    assert make_spec(width=2).width == 2
    with pytest.raises(ModelError, match="2 channels a group"):
        make_spec(width=1)


def test_a_stride_past_the_stem_kernel_is_refused(make_spec):
    assert make_spec(stem_stride=3).stem_stride == 3
    with pytest.raises(ModelError, match="skips pixels; received 4"):
        make_spec(stem_stride=4)


@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
def test_dropout_is_a_probability_below_one(make_spec, value):
    with pytest.raises(ModelError, match="0 <= dropout < 1"):
        make_spec(dropout=value)


@pytest.mark.parametrize("value", [0, -1e-5, float("inf"), float("nan")])
def test_norm_eps_is_positive_and_finite(make_spec, value):
    with pytest.raises(ModelError, match="norm_eps is not positive and finite"):
        make_spec(norm_eps=value)


@pytest.mark.parametrize("field", ["dropout", "norm_eps"])
@pytest.mark.parametrize("value", ["1e-5", None, True])
def test_rates_are_numbers(make_spec, field, value):
    with pytest.raises(ModelError, match=f"{field} is not a number"):
        make_spec(**{field: value})


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("norm", ["group", "ws_group", "evonorm_s0", "batch"])
def test_groups_that_do_not_divide_a_layer_are_refused_before_anything_is_built(
    make_spec, arch, norm
):
    assert make_spec(arch=arch, norm=norm, width=12, norm_groups=6).norm_groups == 6
    for setting in ({"norm_groups": 8}, {"norm_group_channels": 8}):
        with pytest.raises(
            ModelError,
            match=f"{next(iter(setting))} does not divide the 12 channels of a layer; received 8; "
            "take one of 1, 2, 3, 4, 6, 12, or another width",
        ):
            make_spec(arch=arch, norm=norm, width=12, **setting)


def test_groups_are_given_once_and_as_a_count_whatever_the_norm(make_spec):
    with pytest.raises(ModelError, match="given twice"):
        make_spec(norm="batch", norm_groups=2, norm_group_channels=2)
    with pytest.raises(ModelError, match="norm_groups is not an integer of at least 1"):
        make_spec(norm="batch", norm_groups=0)
