"""``mrisweep finalists`` reads its settings as every other command names them."""

from pathlib import Path
from typing import Any

import pytest

import sweep.api.finalists
from sweep.cli import finalists as command
from sweep.cli import main
from sweep.core.errors import UserError


@pytest.mark.parametrize("given", ["seeds=7", "finalists.seeds=7"])
def test_a_setting_may_have_its_dotted_name(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[dict[str, Any]] = []

    def taken(path: Path, changes: dict[str, Any]) -> None:
        received.append(changes)
        raise UserError("that is all", "nothing", "go on")

    monkeypatch.setattr(command, "require_sweep", lambda path: None)
    monkeypatch.setattr(sweep.api.finalists, "finalists", taken)
    assert main(["finalists", str(tmp_path), "--set", given, "--set", "per_norm=2"]) == 2
    assert received == [{"seeds": 7, "per_norm": 2}]
