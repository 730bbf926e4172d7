"""A preset: what a data set in public use is, how its files lie, and what says their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from sweep.core.errors import UserError, nearest, require_known
from sweep.ingest.formats.joining import Meaning
from sweep.ingest.presets.paths import Pattern, filled, names_in

Kind = Literal["images", "volumes", "dicom", "fastmri"]
Chosen = Mapping[str, tuple[str, ...]]
"""For each choice the spellings of what was chosen."""


@dataclass(frozen=True)
class Choice:
    """What a user chooses of a data set, such as the plane.

    Attributes:
        what: What it is, in words.
        values: For each value how files and tables spell it; empty = any text.
        default: The value without a choice; empty = it has to be chosen.

    """

    what: str
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default: str = ""


@dataclass(frozen=True)
class Table:
    """A table beside the images, a row for each key.

    Attributes:
        file: Its path below the folder of tables; it may have fields of the images' paths, and
            ``*`` for a part of its name.
        key: For each column of its key what it is by the path, a text with fields.
        header: The names of its columns, where it has no header.
        labels: For each column of labels, by name or glob, what its cells say.
        columns: Columns to keep where the table has them: the name in the store, and its heading.

    """

    file: str
    key: Mapping[str, str]
    header: tuple[str, ...] = ()
    labels: Mapping[str, Meaning] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Places:
    """A table that says at which slice a label of a study was marked: only such are taken.

    Attributes:
        file: Its path below the folder of tables.
        key: For each column of its key what it is by the path, a text with fields.
        instance: The column with the InstanceNumber of a slice.
        column: Which column of labels a row is about, its cells in small letters with ``_``
            between words in the place of ``{headings}``.

    """

    file: str
    key: Mapping[str, str]
    instance: str
    column: str


@dataclass(frozen=True)
class Fastmri:
    """What ``plan_fastmri`` is asked for; paths are below the folder of tables.

    Attributes:
        labels: The label file.
        rule: The label rule.
        reviewed: The list of reviewed volumes; empty = none.
        patients: The table of patients; empty = none.
        split_column: Its column of splits; empty = none.
        reconstruction: Which image.

    """

    labels: str
    rule: str
    reviewed: str = ""
    patients: str = ""
    split_column: str = ""
    reconstruction: str = "auto"


@dataclass(frozen=True)
class Preset:
    """A data set in public use.

    Attributes:
        name: What it is called by.
        version: Of its file; it rises where a store would come out otherwise.
        what: What it is, in a sentence.
        kind: What its files are.
        source: Where it is published.
        licence: The name of its licence.
        terms: What else has to be agreed to.
        needs: What has to be there besides the images, or to be passed; empty = nothing.
        layout: How its files lie, as a tree.
        labels: What its labels are, in words.
        leaves_open: What it does not know, or what was not checked, a sentence each.
        notes: What flatters or misleads, a sentence each, said at each ingest.
        plain: The command without the preset that does the same, as far as one does.
        files: How paths of images look; of DICOM those of the folders of series.
        choose: What is to be chosen.
        label: The label that a path says, a text with fields; empty = tables say it.
        patient: Whose a file is, a text with fields; empty = nothing says it.
        scan: Of pictures what was scanned as one, a text with fields; empty = each is by itself.
        number: The number of a picture in its scan, a text with fields.
        split: For each text of the field ``split`` the split; empty = none is published.
        columns: Columns to keep, texts with fields.
        tables: The tables to join.
        mask: The name of the mask beside a file, a text with fields; a slice has the labels that
            its plane of the mask shows. Empty = there are none.
        mask_labels: What its values mean; empty: each other than 0 is ``lesion``.
        places: At which slices labels were marked; None = they are of whole files.
        channel: Of pictures in colour the channel to take, see ``plan_pictures``; empty = none.
        fastmri: Of the kind ``fastmri``.

    """

    name: str
    version: int
    what: str
    kind: Kind
    source: str
    licence: str
    terms: str
    needs: str
    layout: str
    labels: str
    leaves_open: tuple[str, ...]
    notes: tuple[str, ...]
    plain: str
    files: tuple[Pattern, ...] = ()
    choose: Mapping[str, Choice] = field(default_factory=dict)
    label: str = ""
    patient: str = ""
    scan: str = ""
    number: str = ""
    split: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    mask: str = ""
    mask_labels: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    places: Places | None = None
    channel: str = ""
    fastmri: Fastmri | None = None

    def chosen(self, given: Mapping[str, str]) -> Chosen:
        """The spellings of what is chosen, by default where nothing is given.

        Raises:
            UserError: An unknown choice or value; a choice that has to be made.

        """
        require_known(f"--choose for {self.name}", list(given), list(self.choose))
        chosen: dict[str, tuple[str, ...]] = {}
        for name, choice in self.choose.items():
            value = given.get(name, choice.default)
            if not value:
                raise UserError(
                    f"{self.name} does not say by itself {choice.what}",
                    f"no --choose {name}=...",
                    f"pass --choose {name}=VALUE"
                    + (f", of {', '.join(choice.values)}" if choice.values else ""),
                )
            if choice.values and value not in choice.values:
                raise UserError(
                    f"--choose {name} has an unknown value",
                    repr(value),
                    nearest(value, choice.values),
                )
            chosen[name] = choice.values.get(value, (value,))
        return chosen

    def to_plain(self, given: Mapping[str, str]) -> dict[str, object]:
        """What a store keeps of it, as JSON can say it."""
        values = {name: given.get(name, one.default) for name, one in self.choose.items()}
        return {
            "name": self.name,
            "version": self.version,
            "source": self.source,
            "licence": self.licence,
            **({"chosen": values} if values else {}),
        }


def spelt(text: str, chosen: Chosen) -> list[str]:
    """A text with every spelling of what is chosen in the place of ``{choices}``."""
    names: Sequence[str] = sorted(names_in(text) & set(chosen))
    return [
        filled(text, dict(zip(names, spellings, strict=True)))
        for spellings in product(*(chosen[name] for name in names))
    ]
