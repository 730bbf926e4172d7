"""Who is sent word, as a sweep file says it; the address of a webhook stands in no file."""

from pathlib import Path
from typing import Any

import pytest

from sweep.config.notify import NotifySettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError

SECRET = "https://hooks.chat.example/services/T0/SECRET"


def read(tmp_path: Path, text: str, *overrides: str) -> SweepConfig:
    file = tmp_path / "sweep.yaml"
    file.write_text(f"name: a\ndata: {{store: a.h5, train: [1], validation: [2]}}\n{text}")
    return SweepConfig.from_yaml(file, overrides)


def test_one_or_several_are_read_and_written(tmp_path: Path) -> None:
    one = read(tmp_path, "notify: {url: env:CHAT, on: [end, best], every: 5}\n")
    assert one.notify == (NotifySettings(url="env:CHAT", on=("end", "best"), every=5),)
    assert one.notify[0].variable == "CHAT"
    two = read(tmp_path, "notify:\n- command: [tell, me]\n- {url: env:CHAT, on: [failure]}\n")
    assert [(n.name, n.on) for n in two.notify] == [
        ("tell", ("end", "failure")),
        ("env:CHAT", ("failure",)),
    ]
    for config in (one, two):
        (tmp_path / "again.yaml").write_text(config.to_yaml())
        assert SweepConfig.from_yaml(tmp_path / "again.yaml") == config
    assert read(tmp_path, "", "notify.url=env:CHAT", "notify.on=[best]").notify[0].on == ("best",)


def test_a_sweep_that_tells_nobody_has_the_record_that_it_had(tmp_path: Path) -> None:
    assert "notify" not in read(tmp_path, "").to_plain()
    assert read(tmp_path, "notify: null\n") == read(tmp_path, "notify: []\n") == read(tmp_path, "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{{url: '{SECRET}'}}", "received https://hooks.chat.example/...; give url: env:NAME"),
        (
            f"'{SECRET}'",
            "notify is neither a section nor a list of sections; received something else",
        ),
        (
            f"['{SECRET}']",
            "notify is neither a section nor a list of sections; received something else",
        ),
        (f"{{url: ['{SECRET}']}}", "notify is neither a section"),
        (f"{{ulr: '{SECRET}'}}", r"received 'notify\[0\]\.ulr'; did you mean 'url'"),
        ("{url: CHAT}", "received another text; give url: env:NAME"),
        ("{url: 'env:'}", "give url: env:NAME"),
        ("{on: [end]}", "has neither a url nor a command, or both; received neither"),
        ("{url: env:A, command: [b]}", "received both"),
        ("{url: env:A, on: []}", "give one or more of end, failure, best"),
        (
            "{url: env:A, on: [ende]}",
            r"notify\[0\]\.on\[0\] cannot take this value; received 'ende'",
        ),
        (
            "{command: tell me}",
            r"notify\[0\]\.command cannot .* give a list of texts, such as \['tell me'\]",
        ),
        ("{url: env:A, every: -1}", "give minutes, 0 or more"),
    ],
)
def test_what_is_no_setting_is_refused_without_a_secret(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(UserError, match=said) as raised:
        read(tmp_path, f"notify: {text}\n")
    assert "SECRET" not in str(raised.value)


def test_a_key_that_is_a_truth_value_in_yaml_is_a_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such setting; received 'no'"):
        read(tmp_path, "no: 1\n")


def test_a_misspelt_key_in_a_list_of_sections_is_named(tmp_path: Path) -> None:
    external: dict[str, Any] = {"name": "there", "stor": "b.h5"}
    with pytest.raises(UserError, match=r"'finalists\.external\[0\]\.stor'; did you mean 'store'"):
        read(tmp_path, f"finalists: {{external: [{external}]}}\n")
