"""One item of a dataset: what it may be, and what is said of one that cannot be used."""

import re

import numpy as np
import pytest
import torch

from sweep.core.errors import UnusableError, UserError
from sweep.ingest.dataset.items import ask, describe, image_of, label_names, shape_of
from tests.support.datasets import Items, item, without

PIXELS = np.arange(12, dtype=np.float64).reshape(3, 4)
NAMES = ("cyst", "tear", "scar")


def described(says, names=(), size=None, shape=(8, 6)):
    return describe(says, 0, shape, names, size)


@pytest.mark.parametrize(
    "image",
    [
        PIXELS,
        PIXELS[None],
        PIXELS.astype(np.int16),
        PIXELS.astype(np.float16).tolist(),
        torch.tensor(PIXELS),
        torch.tensor(PIXELS)[None].half(),
        np.asfortranarray(PIXELS),
    ],
)
def test_an_image_comes_as_arrays_and_tensors_of_any_real_type(image):
    found = image_of({"image": image}, 0)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, PIXELS)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.stack([PIXELS] * 3), r"not \(H, W\) or \(1, H, W\); received \(3, 3, 4\) in item 0"),
        (PIXELS[0], r"received \(4,\) in item 0"),
        (PIXELS[:0], r"received \(0, 4\) in item 0"),
        (PIXELS * 1j, "not real numbers; received complex numbers in item 0; give the magnitude"),
        (PIXELS > 3, "not real numbers; received bool in item 0"),
        (np.array([["a", "b"]]), "not real numbers; received <U1 in item 0"),
        (np.where(PIXELS > 3, np.nan, 1), "not finite numbers; received item 0, which has NaN"),
        (PIXELS * 1e38, "not finite numbers; received item 0, which .* what float32 cannot hold"),
        (PIXELS * 0 + 3, "the image is empty.*; received item 0 with 3 everywhere"),
        (torch.tensor(PIXELS, requires_grad=True), r"array of numpy; received Tensor .*detach"),
    ],
)
def test_an_image_that_cannot_be_used_is_told_in_one_sentence(image, message):
    with pytest.raises(UnusableError, match=message) as error:
        image_of({"image": image}, 0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("labels", "names", "expected"),
    [
        (["tear", "cyst"], (), {"tear", "cyst"}),
        (("tear", " "), (), {"tear"}),
        ({"tear"}, NAMES, {"tear"}),
        ("tear", (), {"tear"}),
        ("", (), set()),
        ([], NAMES, set()),
        (np.array(["tear"]), (), {"tear"}),
        (2, NAMES, {"scar"}),
        (np.int64(0), NAMES, {"cyst"}),
        (torch.tensor(1), NAMES, {"tear"}),
        ([1, 0, 1], NAMES, {"cyst", "scar"}),
        (torch.tensor([0.0, 1.0, 1.0]), NAMES, {"tear", "scar"}),
        (np.array([False, True, False]), NAMES, {"tear"}),
        ([torch.tensor(0), torch.tensor(0), torch.tensor(0)], NAMES, set()),
    ],
)
def test_labels_are_names_or_a_class_or_zeros_and_ones(labels, names, expected):
    assert described(item(0, labels=labels), names).slice.labels == expected


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (1, (), "does not say what they mean; received 1 in item 0; give the names"),
        (3, NAMES, "neither names, nor .*; received 3 in item 0, of a dataset with 3 labels"),
        (-1, NAMES, "received -1 in item 0"),
        (True, NAMES, "received True in item 0"),
        (1.0, NAMES, r"received 1\.0 in item 0"),
        ([0, 1], NAMES, r"received \[0, 1\] in item 0"),
        ([0, 0.5, 1], NAMES, r"received \[0, 0\.5, 1\] in item 0"),
        ([0, -1, 1], NAMES, r"received \[0, -1, 1\] in item 0"),
        (None, NAMES, "received None in item 0"),
    ],
)
def test_labels_that_mean_nothing_are_refused(labels, names, message):
    with pytest.raises(UnusableError, match=message):
        described(item(0, labels=labels), names)


@pytest.mark.parametrize("attribute", ["label_names", "classes"])
def test_the_dataset_names_its_labels_as_torch_datasets_do(attribute):
    assert label_names(Items(**{attribute: ["b", "a"]})) == ("b", "a")
    assert label_names(Items()) == ()


@pytest.mark.parametrize("names", ["ab", [], ["a", ""], ["a", 3], 4])
def test_names_of_labels_are_a_list_of_texts(names):
    with pytest.raises(UserError, match="classes of the dataset are not a list of names; received"):
        label_names(Items(classes=names))


def test_all_that_an_item_says_is_kept():
    says = item(
        3, split=2, scan="v1", number=torch.tensor(7), pixel_mm=(0.5, 0.25), sequence=" T1 "
    )
    found = described({**says, "site": " A ", "age": 40, "meta": {}, "sex": ""}, shape=(8, 6))
    one = found.slice
    assert (one.key, one.patient, one.split, one.sequence) == ("p1/3.png", "p1", "2", "T1")
    assert (one.scan, one.number) == ("p1/v1", 7), "a name of a scan is a patient's own"
    assert (one.geometry.pixel_mm, one.geometry.native) == ((0.5, 0.25), (8, 6))
    assert one.columns == {"site": "A", "sex": ""}
    assert found.ignored == {"age", "meta"}


def test_an_item_that_says_little_is_a_scan_of_its_own():
    one = described(item(3)).slice
    assert (one.scan, one.number, one.split, one.sequence) == ("p1/3.png", None, "", "")
    assert one.geometry.pixel_mm is None
    assert one.columns == {}


def test_names_may_be_whole_numbers():
    one = described(item(0, patient=np.int64(12), key=torch.tensor(3))).slice
    assert (one.patient, one.key) == ("12", "3")


def test_with_a_size_pixels_are_those_of_the_square():
    found = described(item(0, pixel_mm=0.5), size=4, shape=(8, 6))
    assert found.slice.geometry.pixel_mm == (1.0, 1.0)
    assert found.slice.geometry.native == (8, 8)
    assert found.pixel_mm == (0.5, 0.5)


@pytest.mark.parametrize("says", [without("patient"), item(0, patient=" "), item(0, patient=None)])
def test_without_a_patient_nothing_can_be_split(says):
    message = (
        "has no patient, and without it images of one person could lie in several splits, "
        "which flatters the test score; received item 0 with 'image', .*; give 'patient'"
    )
    with pytest.raises(UserError, match=message) as error:
        described(says)
    assert not isinstance(error.value, UnusableError), "it is no matter of one item"


@pytest.mark.parametrize(
    ("says", "message"),
    [
        (without("key"), "has no 'key'; received item 0 with 'image', 'labels', 'patient'"),
        ({**without("labels"), "label": 1}, r"has no 'labels'.*did you mean 'label'\?"),
        (item(0, key=""), "empty key"),
        (item(0, key=1.5), r"'key' is not a text; received 1\.5 in item 0"),
        (item(0, patient=True), "'patient' is not a text; received True"),
        (item(0, split=["a"]), r"'split' is not a text; received \['a'\]"),
        (item(0, number=-1), "'number' is not the place .*; received -1"),
        (item(0, number=False), "'number' is not the place .*; received False"),
        (item(0, number=2**31), "'number' is not the place .*; received 2147483648"),
        (item(0, pixel_mm=0), "'pixel_mm' is not the distance .*; received 0 in item 0"),
        (item(0, pixel_mm=(1, np.nan)), "'pixel_mm' is not the distance"),
        (item(0, pixel_mm=(1, 1, 1)), r"'pixel_mm' is not .*; received \(1, 1, 1\)"),
        (item(0, pixel_mm="1"), "'pixel_mm' is not the distance .*; received '1'"),
    ],
)
def test_an_item_with_a_value_that_does_not_do_is_refused(says, message):
    with pytest.raises(UnusableError, match=message):
        described(says)


@pytest.mark.parametrize(
    ("says", "message"),
    [
        (ValueError("no\nsuch scan"), r"own code fails .*; received item 0 \(ValueError: no such"),
        ((1, 2), "not a mapping .*; received tuple for item 0; give {'image'"),
    ],
)
def test_what_gives_no_item_is_told_in_one_sentence(says, message):
    with pytest.raises(UnusableError, match=message) as error:
        ask(Items(says).__getitem__, 0)
    assert "\n" not in str(error.value)


def test_a_described_shape_is_two_sizes():
    assert shape_of({"shape": torch.Size([3, 4])}, 0) == (3, 4)
    for shape in ((1, 3, 4), (0, 4), "34", (3.0, 4.0)):
        with pytest.raises(UnusableError, match=rf"received {re.escape(repr(shape))} in the desc"):
            shape_of({"shape": shape}, 0)
    with pytest.raises(UnusableError, match="has no 'shape'; received the description of item 0"):
        shape_of({}, 0)
