"""One form of error in all packages: what is wrong, what was received, what to do."""

import ast
import pickle
import re
from pathlib import Path

import pytest

import artifacts_sim
import mrimodels
import sweep
from artifacts_sim import ArtifactError
from mrimodels import ModelError
from sweep.core.errors import SeveralFaultsError, UnusableError, UserError, WorkError, told, within

ERRORS = (ArtifactError, ModelError, UserError, UnusableError, WorkError)
RAISED_BY_NAME = {*(error.__name__ for error in ERRORS), "refuse"}
PACKAGES = (artifacts_sim, mrimodels, sweep)


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_says_its_three_parts_in_order_and_reaches_another_process(
    error: type[Exception],
) -> None:
    raised = error("the size is below 1", Path("a.png"), "give 1 or more")
    assert str(raised) == "the size is below 1; received a.png; give 1 or more"
    again = pickle.loads(pickle.dumps(raised))
    assert (type(again), str(again)) == (error, str(raised))


@pytest.mark.parametrize("error", ERRORS)
def test_a_part_cannot_be_left_out(error: type[Exception]) -> None:
    with pytest.raises(TypeError):
        error("the size is below 1")


def test_a_fault_inside_something_keeps_its_kind_and_what_to_do() -> None:
    assert str(within("motion", ArtifactError("no", 1, "do"))) == "motion: no; received 1; do"
    assert isinstance(within("motion", ArtifactError("no", 1, "do")), UserError)
    assert isinstance(within("node", WorkError("no", 1, "do")), WorkError)


@pytest.mark.parametrize("mark", ["\x1b[2J", "\x00", "\x9b", "\udcff"])
def test_what_is_quoted_of_a_file_is_no_order_to_a_terminal(mark: str) -> None:
    """A store with such a text among its reasons could not be opened, either."""
    error = UserError("it is damaged", f"a{mark}\tb\n", "repair it")
    assert str(error) == f"it is damaged; received a?{mark[1:]}\tb\n; repair it"


def test_several_faults_have_a_line_each() -> None:
    several = SeveralFaultsError([UserError("a", 1, "b"), UserError("c", 2, "d")])
    assert str(several) == "2 faults\n- a; received 1; b\n- c; received 2; d"
    assert str(within("x", several)) == "2 faults\n- x: a; received 1; b\n- x: c; received 2; d"
    assert str(pickle.loads(pickle.dumps(several))) == str(several)


def text(node: ast.expr) -> str | None:
    """A text as written, with {} for what is put in; None for anything else."""
    match node:
        case ast.Constant(value=str() as value):
            return value
        case ast.JoinedStr(values=parts):
            return "".join(text(part) or "{}" for part in parts)
    return None


def raised(path: Path) -> list[tuple[int, str, str]]:
    """Line, what is wrong and the remedy of each error that a module raises, where written out."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[wrong, _, remedy]) if (
                name in RAISED_BY_NAME
            ):
                found.append((node.lineno, text(wrong) or "{}", text(remedy) or "{}"))
    return found


def test_every_error_is_written_in_that_form() -> None:
    folders = [Path(str(package.__file__)).parent for package in PACKAGES]
    paths = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    errors = [(path, *one) for path in paths for one in raised(path)]
    assert len(errors) > 200
    broken = [
        f"{path}:{line}: {part}"
        for path, line, wrong, remedy in errors
        for part in (wrong, remedy)
        if not part.strip()
        or part.endswith((".", ";"))
        or re.match(r"(?!Ray )[A-Z][a-z]+ ", part)  # a sentence
        or "received" in part
    ]
    assert not broken, "\n".join(broken)


def test_what_a_library_says_is_told_without_addresses_that_differ_between_runs() -> None:
    said = "ImageBase(0x55e9fad3e0d0): no; <File object at 0x7f7059072700>; value 0x1f of 3"
    assert told(ValueError(said)) == "ValueError: ImageBase: no; <File object >; value 0x1f of 3"
