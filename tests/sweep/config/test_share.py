"""What a Ray worker takes of a node, as a user sets it."""

from typing import Any

import pytest

from sweep.config.share import Share
from sweep.config.sweep import ClusterSettings
from sweep.core.errors import UserError


@pytest.mark.parametrize(
    ("share", "message"),
    [
        ({"gpu": 1.5}, r"gpu cannot take this value; received 1\.5; give a part of one GPU, or"),
        ({"cpu": -1}, r"cpu cannot take this value; received -1; give 0, or 0\.0001 or more"),
        ({"cpu": float("inf")}, r"cpu .*; received inf"),
        ({"gpu": 1e-5}, r"gpu .*; received 1e-05"),
        ({"resources": {"GPU": 1}}, r"resources .*; received 'GPU'; give a name but cpu, gpu,"),
        ({"resources": {"scoring": -1}}, r"resources\.scoring cannot take this value"),
        ({"labels": {"zone": "in()"}}, r"labels\.zone .*; received 'in\(\)'; give a value, in\("),
        ({"labels": {"zone": ""}}, r"labels\.zone cannot take this value"),
        ({"labels": {"a zone": "a"}}, r"labels cannot take this value; received 'a zone'"),
    ],
)
def test_what_ray_would_refuse_later_is_refused(share: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Share(**share)


def test_a_share_in_words() -> None:
    share = Share(cpu=2, gpu=0.5, resources={"scoring": 1}, labels={"zone": "a", "spot": "!yes"})
    assert share.text() == "2 CPU, 0.5 GPU, 1 scoring with zone=a, spot=!yes"


def test_a_record_holds_what_is_set_and_is_read_again() -> None:
    plain = ClusterSettings().to_plain()
    assert plain["trial"] == {"cpu": 1, "gpu": 0}, "as in the records of earlier versions"
    assert "wait" not in plain
    asked = ClusterSettings(
        trial=Share(resources={"scoring": 0.5}, labels={"zone": "!in(a, b)"}), wait=2.5
    )
    assert ClusterSettings.from_plain(asked.to_plain()) == asked


def test_a_wait_is_minutes() -> None:
    with pytest.raises(UserError, match=r"wait cannot take this value; received -1; give minutes"):
        ClusterSettings(wait=-1)
