"""This version reads every fenced block and every command of the documents, as they stand there."""

import ast
import contextlib
import importlib
import inspect
import io
import itertools
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sweep.cli import parser
from sweep.config.presets import presets
from sweep.config.reading import load_yaml, override
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.ingest.fastmri.rule import load_rule
from sweep.results.where import Where
from tests.support.data import ROOT
from tests.support.documents import Block, Line, blocks, every_block, lines, pages, spans, text_of
from tests.support.workshop import (
    EXCUSES,
    IN_ORDER,
    excused,
    furnish_package,
    missing,
    parts,
    script,
    whole_sweep,
)

BLOCKS = every_block()
PACKAGES = ("sweep", "mrimodels", "artifacts_sim")
PATH = re.compile(r"(docs|deploy|tools|tests|examples|benchmarks)/[\w./-]+")
COMMANDS = set(re.findall(r"^    ([a-z]+)  ", parser().format_help(), re.MULTILINE))
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def of(kind: str) -> list[Block]:
    return [block for block in BLOCKS if block.kind == kind]


def each(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", of(kind), ids=str)


def block_of(text: str, kind: str = "sh") -> Block:
    (block,) = blocks(f"```{kind}\n{text}\n```\n", "a.md")
    return block


@pytest.fixture
def own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own modules, and no file of the user's where the tests run."""
    furnish_package(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)


# Commands


def check_ours(arguments: list[str]) -> None:
    """Read the arguments of a command as `mrisweep` does, and what its options hold."""
    options = vars(parser().parse_args(arguments))
    for condition in options.get("where") or []:
        Where.parse(condition)
    if "sweep" in options:
        settings = options["set"]
        if options["sweep"] in presets():
            SweepConfig.from_yaml(options["sweep"], settings)
        else:
            SweepConfig.from_dict(override(whole_sweep({}), settings))


def check_line(line: Line) -> None:
    """Check each command of a line of a shell block, as far as it is of this project."""
    for arguments in line.ours():
        check_ours(arguments)
    for program, *words in line.commands():
        if program == "make":
            assert {word for word in words if "=" not in word} <= set(TARGETS), line.text
        for word in (program, *words):
            if PATH.fullmatch(word) and not (ROOT / word).exists():
                raise AssertionError(f"there is no {word}: {line.text}")
    if line.given:
        SweepConfig.from_dict(load_yaml(line.given))


def check_shell(block: Block) -> None:
    for line in lines(block):
        try:
            check_line(line)
        except UserError as error:
            raise AssertionError(f"{line.text}\n{error}") from None


@each("sh")
def test_every_command_is_read(block: Block) -> None:
    check_shell(block)


@pytest.mark.parametrize(
    "text",
    [
        "mrisweep nothing",
        "mrisweep best DIR --tops 3",
        "mrisweep best DIR --top many",
        "mrisweep best DIR --where clean",
        "mrisweep run sweep.yaml --set train.epoch=2",
        "mrisweep run madaan2023 --set train.epoch=2 --set data.store=a.h5",
        "mrisweep run sweep.yaml \\\n  --sets train.epochs=2",
        "X=$(mrisweep bets DIR | sed s/a/b/)",
        "true && ray job submit -- mrisweep bets DIR",
        "docker compose exec head mrisweep bets DIR",
        "cat > sweep.yaml <<'YAML'\nname: a\nmodle: {}\nYAML",
        "make nothing",
        "python tools/nothing.py",
    ],
)
def test_a_command_that_cannot_be_read_is_found(text: str) -> None:
    with pytest.raises((AssertionError, SystemExit)):
        check_shell(block_of(text))


def test_commands_are_found_where_documents_have_them() -> None:
    block = block_of("""
# mrisweep list
docker compose exec head mrisweep check /a.yaml && echo mrisweep
ray job submit --address x -- \\
  ~/venv/bin/mrisweep best /b  # the table
X=$(mrisweep best /c --json | sed -n 's/a;b/c/p') 2> log
kubectl --namespace mrisweep get rayjob mrisweep""")
    found = [words for line in lines(block) for words in line.ours()]
    assert found == [["check", "/a.yaml"], ["best", "/b"], ["best", "/c", "--json"]]


def help_of(words: list[str]) -> str:
    """What `--help` says of a command."""
    with contextlib.redirect_stdout(io.StringIO()) as said, pytest.raises(SystemExit) as ended:
        parser().parse_args([*words, "--help"])
    assert ended.value.code == 0
    return said.getvalue()


def check_span(span: str) -> None:
    """Check a command that a sentence names, with or without `mrisweep`, and its options."""
    if PATH.fullmatch(span):
        assert list(ROOT.glob(span)), f"there is no {span}"
    words = span.split(" | ")[0].split()
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    if words[0] == "mrisweep":
        words = words[1:]
    elif words[0] not in COMMANDS or not options:
        return
    try:
        text = help_of(list(itertools.takewhile(lambda word: not word.startswith("--"), words)))
    except UserError as error:
        raise AssertionError(f"{span}: {error}") from None
    for option in options:
        assert re.search(rf"{option}\b", text), f"{span}: there is no {option}"


@pytest.mark.parametrize("span", ["mrisweep bets DIR", "best DIR --tops", "tools/nothing.py"])
def test_a_sentence_that_names_what_is_not_there_is_found(span: str) -> None:
    with pytest.raises(AssertionError):
        check_span(span)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_files_that_sentences_name_are_there(page: Path) -> None:
    for span in spans(text_of(page)):
        check_span(span)


# Sweep files, label rules, JSON


def check_yaml(block: Block) -> None:
    part = load_yaml(block.text)
    if "labels" in part:
        Path("rule.yaml").write_text(block.text, encoding="utf-8")
        load_rule("rule.yaml")
    else:
        SweepConfig.from_dict(whole_sweep(part))


@each("yaml")
@pytest.mark.usefixtures("own_package")
def test_every_part_of_a_sweep_file_is_read(block: Block) -> None:
    check_yaml(block)


@each("json")
def test_every_json_is_json(block: Block) -> None:
    json.loads(block.text)


# Python


class Names:
    """What the Python blocks of a document name of the packages, from its imports on."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def check(self, block: Block) -> None:
        """Check that a block is Python, and that what it names is there and takes its keywords.

        Raises:
            AssertionError: It is not.

        """
        tree = ast.parse(block.text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self.known |= {
                    alias.asname or alias.name: importlib.import_module(alias.name)
                    for alias in node.names
                    if alias.name.partition(".")[0] in PACKAGES
                }
            elif isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in PACKAGES:
                module = importlib.import_module(str(node.module))
                for alias in node.names:
                    assert hasattr(module, alias.name), (
                        f"{block}: {node.module} has no {alias.name}"
                    )
                    self.known[alias.asname or alias.name] = getattr(module, alias.name)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                self.value(node, block)
            elif isinstance(node, ast.Call) and callable(function := self.value(node.func, block)):
                self.check_keywords(function, node, block)

    def value(self, node: ast.expr, block: Block) -> Any:
        """What a name, or a name of a name, stands for; None where only running it would say."""
        if isinstance(node, ast.Name):
            return self.known.get(node.id)
        if not isinstance(node, ast.Attribute) or (of := self.value(node.value, block)) is None:
            return None
        declared = getattr(of, "__annotations__", {})
        assert hasattr(of, node.attr) or node.attr in declared, f"{block}: no {node.attr} in {of}"
        return getattr(of, node.attr, None)

    def check_keywords(self, function: Any, call: ast.Call, block: Block) -> None:
        """Check the keywords of a call."""
        taken = inspect.signature(function).parameters
        if any(one.kind is one.VAR_KEYWORD for one in taken.values()):
            return
        for keyword in call.keywords:
            assert keyword.arg in taken, f"{block}: {function} takes no {keyword.arg}"


@pytest.mark.parametrize("page", sorted({block.page for block in of("python")}))
def test_every_python_block_names_what_is_there(page: str) -> None:
    names = Names()
    for block in of("python"):
        if block.page == page:
            names.check(block)


@pytest.mark.parametrize(
    "text",
    [
        "import sweep.nothing",
        "from sweep import nothing",
        "import sweep\nsweep.SweepConfig.from_yml(1)",
        "import sweep\nsweep.best(1, tops=3)",
        "import",
    ],
)
def test_python_that_names_what_is_not_there_is_found(text: str) -> None:
    with pytest.raises((AssertionError, ImportError, SyntaxError)):
        Names().check(block_of(text, "python"))


# All of them


def test_every_block_has_a_kind_that_is_checked() -> None:
    kinds = Counter(block.kind for block in BLOCKS)
    assert set(kinds) == {"sh", "python", "yaml", "json", "text"}


def test_every_excuse_is_needed() -> None:
    used = {excused(block, part) for block in BLOCKS for part in parts(block)}
    assert [excuse for excuse in EXCUSES if excuse not in used] == []


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_is_typed_compared_or_excused(block: Block) -> None:
    compared = block.kind == "text" and block.page in IN_ORDER
    assert compared or script(block)


def test_how_many_blocks_and_commands_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    typed = [
        (block, part)
        for block in BLOCKS
        if block.kind != "text"
        for part in parts(block)
        if not excused(block, part)
    ]
    commands = [words for block in of("sh") for line in lines(block) for words in line.ours()]
    typed_shell = sum(block.kind == "sh" for block, _ in typed)
    of_shell = sum(len(parts(block)) for block in of("sh"))
    with capsys.disabled():
        print(
            f"\n{len(BLOCKS)} blocks in {len({block.page for block in BLOCKS})} documents, "
            f"{len({block for block, _ in typed})} of them typed by `make docs-run`; "
            f"{of_shell} lines of the shell, {typed_shell} typed; "
            f"{len(commands)} commands of mrisweep read"
        )
    assert len(typed) > len(BLOCKS) / 2


def test_what_a_document_shows_is_compared_but_for_numbers_and_norms() -> None:
    shown = block_of("1  trial-0003  group  0.81 [0.70, 0.92]\nfolder  one", "text")
    assert missing(shown, "\n1 trial-0012 batch 9e-05 [0.1, 0.2]  x\nfolder one, 3 MB\n") == []
    assert missing(shown, "folder  one\n1  trial-0012  batch  0.5\n") == shown.text.splitlines()[:1]
