"""How masks and boxes are to be understood: what the user says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from sweep.core.errors import UserError
from sweep.ingest.formats.labels import SEPARATOR, named_in
from sweep.ingest.formats.marks.area import Area

Below = Literal["negative", "drop"]
NoMask = Literal["refuse", "negative"]
Counted = Literal["index", "instance"]

LESION = "lesion"  # the label of a mask whose values have no names
BACKGROUND = 0


@dataclass(frozen=True)
class Marking:
    """How masks and boxes become labels.

    Attributes:
        names: The labels of each value of masks, none of them 0, which is background.
        rest: Where no value has a name, the label of all of them.
        ignored: Values of masks that count as background.
        least: The area on a slice from which on a label counts there; None = any.
        below: What becomes of slices that a finding touches with less: they do not show its label,
            or are left out.
        no_mask: What becomes of rows without a mask where there is a column of masks: they are
            refused, or a mask of theirs would be empty.
        counted: What slices of boxes are: numbers from 0, or the InstanceNumber of DICOM.

    """

    names: Mapping[int, tuple[str, ...]] = field(default_factory=dict, hash=False)
    rest: str = LESION
    ignored: frozenset[int] = frozenset()
    least: Area | None = None
    below: Below = "negative"
    no_mask: NoMask = "refuse"
    counted: Counted = "index"

    @property
    def of_masks(self) -> bool:
        """Whether something is said that concerns masks alone."""
        return bool(self.names or self.ignored or self.no_mask != "refuse")

    @property
    def labels(self) -> tuple[str, ...]:
        """All that masks may give."""
        return tuple(self.values_of()) or (self.rest,)

    def values_of(self) -> dict[str, tuple[int, ...]]:
        """The values of each label that has some; empty where values have no names."""
        labels: dict[str, list[int]] = {}
        for value, names in self.names.items():
            for name in names:
                labels.setdefault(name, []).append(value)
        return {name: tuple(values) for name, values in labels.items()}

    def renamed(self, spellings: Mapping[str, str]) -> "Marking":
        """The same with other spellings of the labels."""
        names = {
            value: tuple(dict.fromkeys(map(spellings.__getitem__, its)))
            for value, its in self.names.items()
        }
        return replace(self, names=names, rest=spellings[self.rest] if not names else self.rest)

    def to_plain(self) -> dict[str, object]:
        """What of it is not as usual, as JSON can say it."""
        said: dict[str, object] = {
            "mask_labels": {str(value): list(names) for value, names in self.names.items()},
            "mask_ignore": sorted(self.ignored),
            "least_area": str(self.least or ""),
            "below": "" if self.below == "negative" else self.below,
            "no_mask": "" if self.no_mask == "refuse" else self.no_mask,
            "box_slices": "" if self.counted == "index" else self.counted,
        }
        return {name: value for name, value in said.items() if value}


AS_THEY_ARE = Marking()


def mask_names(texts: Sequence[str]) -> dict[int, tuple[str, ...]]:
    """Read ``1=necrosis 2=edema 4=enhancing``; a value or a name may come again.

    Raises:
        UserError: No value, no name, or a name of the background.

    """
    names: dict[int, tuple[str, ...]] = {}
    for text in texts:
        value, _, cell = text.partition("=")
        found = sorted(named_in(cell, SEPARATOR))
        if not found:
            raise UserError(
                "--mask-labels cannot be read",
                repr(text),
                "give VALUE=NAME, such as 1=necrosis 2=edema",
            )
        number = mask_value(value, "--mask-labels")
        names[number] = tuple(dict.fromkeys((*names.get(number, ()), *found)))
    return names


def mask_value(text: str, option: str) -> int:
    """A value of a mask that is no background.

    Raises:
        UserError: It is no whole number, or 0.

    """
    try:
        number = int(text)
    except ValueError:
        number = BACKGROUND
    if number == BACKGROUND:
        raise UserError(
            f"{option} names a value that no finding has in a mask",
            repr(text),
            "give a whole number other than 0, which is background",
        )
    return number
