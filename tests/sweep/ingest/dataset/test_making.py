"""A dataset by its name: made, or refused in one sentence."""

import sys

import pytest
from torch.utils.data import IterableDataset

from sweep.core.errors import UserError
from sweep.ingest.dataset.contract import checked_dataset, source_of
from sweep.ingest.dataset.making import make_dataset
from tests.support.datasets import PLACE, Items


def test_a_dataset_is_made_with_its_options():
    made = make_dataset(f"{PLACE}:Pictures", {"items": 4, "site": "B"})
    assert len(made) == 4
    assert made[3]["site"] == "B"


@pytest.mark.parametrize(
    ("place", "options", "message"),
    [
        ("datasets.Pictures", {}, "module and its class; received 'datasets.Pictures'; give pack"),
        ("no_such_module:A", {}, "cannot be imported; received ModuleNotFoundError: .*PYTHONPATH"),
        (f"{PLACE}:Pictres", {}, "cannot be imported; received AttributeError: "),
        (f"{PLACE}:NOTHING", {}, "cannot be called; received str; name the class"),
        (f"{PLACE}:Pictures", {"root": "/x"}, r"called with \(root='/x'\); received TypeError: "),
        (f"{PLACE}:Pictures", {"items": "x"}, "its code fails.*; received TypeError: "),
        (f"{PLACE}:Nameless", {}, "items by number.*; received tests.support.datasets:Nameless"),
        (f"{PLACE}:Stream", {}, "items by number.*, without a length or items; give it __len__"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_sentence(place, options, message):
    with pytest.raises(UserError, match=message) as error:
        make_dataset(place, options)
    assert "\n" not in str(error.value)


def test_a_stream_of_torch_is_refused_whatever_length_it_gives():
    class Endless(IterableDataset):
        def __len__(self):
            return 3

        def __iter__(self):
            return iter(())

    with pytest.raises(UserError, match=r"received .*Endless, an IterableDataset; give it"):
        checked_dataset(Endless())


def test_a_module_of_the_current_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "my_own_data.py").write_text(
        "from tests.support.datasets import Items, item\n\n"
        "def small():\n    return Items(item(0), item(2))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_own_data", raising=False)
    assert len(make_dataset("my_own_data:small", {})) == 2


def test_an_option_that_no_store_could_say_is_refused():
    assert source_of("a:B", {"x": (1, 2)})["options"] == {"x": [1, 2]}
    for value in (Items(), float("nan")):
        with pytest.raises(UserError, match="not texts, numbers, lists and mappings"):
            source_of("a:B", {"x": value})
