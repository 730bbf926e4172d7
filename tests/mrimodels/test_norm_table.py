"""The table of docs/norms.md says what the layers are."""

import re

from mrimodels import NORMS
from tests.support.data import ROOT
from tests.support.norms import PROMISES


def test_every_norm_is_described_with_its_parameters_and_modes():
    text = (ROOT / "docs" / "norms.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in re.findall(r"^\| `.*$", text, re.MULTILINE)]
    assert [name.strip("`") for name, *_ in rows] == list(NORMS)
    for name, _, parameters, modes, *_ in rows:
        promise = PROMISES[name.strip("`")]
        stated = re.fullmatch(r"(\d*) ?C(?: \+ (\d+))?", parameters)
        assert int(stated[1] or 1) == promise.a_channel
        assert int(stated[2] or 0) == promise.a_layer
        assert modes == ("differ" if promise.sees_batch else "alike")
