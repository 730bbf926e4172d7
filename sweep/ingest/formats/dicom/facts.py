"""What tells the slices of a DICOM folder apart: some attributes of each, as text."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

PRIVATE = re.compile(r"[0-9A-Fa-f]{4},[0-9A-Fa-f]{4}")  # a tag by its numbers
NUMBERS = ("DS", "FD", "FL", "IS", "SL", "SS", "UL", "US")
DEEPEST = 4  # sequences within sequences of a functional group

# In the order in which a user would name them; those of the second table tell each slice from each.
TELLING = (
    *("PatientID", "SeriesNumber", "SeriesDescription", "ProtocolName", "Modality"),
    *("ImageType", "FrameType", "ComplexImageComponent", "0043,102F", "2005,1011"),
    *("EchoTime", "EffectiveEchoTime", "EchoNumbers", "InversionTime", "InversionTimes"),
    *("RepetitionTime", "FlipAngle", "StackID"),
    *("DiffusionBValue", "DiffusionGradientOrientation", "0019,100C", "0043,1039"),
    *("TemporalPositionIdentifier", "TemporalPositionIndex", "TriggerTime"),
    *("NominalCardiacTriggerDelayTime", "AcquisitionNumber", "SequenceName"),
    *("ImageOrientationPatient", "Rows", "Columns"),
    *("AcquisitionTime", "AcquisitionDateTime", "FrameAcquisitionDateTime", "ContentTime"),
    *("SeriesInstanceUID", "StudyInstanceUID"),
)
NAMING = ("DimensionIndexValues", "InstanceNumber", "SOPInstanceUID")


def facts_of(dataset: Any, groups: Sequence[Any], names: Sequence[str]) -> dict[str, str]:
    r"""What is known of a slice.

    Args:
        dataset: Pydicom's.
        groups: The functional groups that speak of the slice, which go before the file.
        names: Keywords, or tags such as ``0043,102F``.

    Returns:
        The values that are there, parts separated by a backslash, numbers without needless zeros.

    """
    found: dict[str, Any] = {}
    for group in groups if names else ():
        for keyword, element in _elements(group):
            found.setdefault(keyword, element)
    facts = {}
    for name in names:
        element = found.get(name) or _element(dataset, name)
        if text := _text(element):
            facts[name] = text
    return facts


def differing(facts: Sequence[Mapping[str, str]]) -> list[str]:
    """The names whose values differ, the most telling first; those of single slices only if alone.

    Args:
        facts: Of each slice.

    """

    def differ(names: Sequence[str]) -> list[str]:
        return [name for name in names if len({one.get(name) for one in facts}) > 1]

    return differ(TELLING) or differ(NAMING)


def _elements(group: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    for tag in group.keys():  # noqa: SIM118 - a dataset gives elements, and reads them all
        element = _element(group, tag)
        if element is None:
            continue
        if element.VR == "SQ":
            if depth < DEEPEST and len(element.value) == 1:
                yield from _elements(element.value[0], depth + 1)
        elif element.keyword:
            yield element.keyword, element
        else:
            yield f"{element.tag.group:04X},{element.tag.element:04X}", element


def _element(dataset: Any, name: Any) -> Any:
    """The element of a keyword or tag; None where there is none, or a damaged one."""
    tag = int(name.replace(",", ""), 16) if PRIVATE.fullmatch(str(name)) else name
    try:
        return dataset.get_item(tag) and dataset[tag]
    except Exception:  # a damaged element of any kind, which nothing here depends on
        return None


def _text(element: Any) -> str:
    if element is None or element.value is None or isinstance(element.value, bytes):
        return ""
    values = element.value
    parts = [values] if isinstance(values, str) or np.ndim(values) == 0 else list(values)
    try:
        return "\\".join(_part(part, element.VR) for part in parts)
    except (TypeError, ValueError):
        return ""


def _part(value: Any, vr: str) -> str:
    return f"{float(value):.10g}" if vr in NUMBERS and value != "" else str(value).strip()
