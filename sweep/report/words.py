"""The conclusion: three sentences, made of the tests and of nothing else."""

from collections.abc import Iterator

from sweep.core.finals import HOLDOUT, TEST, VALIDATION
from sweep.report.evidence import At, Evidence
from sweep.report.numbers import chance, listed, value
from sweep.stats.effects import NormDifference

LEVEL = 0.05


def conclusion(evidence: Evidence) -> tuple[str, str, str]:
    """What was asked before the sweep, what all norms or arms say, and what unseen artifacts do."""
    return _asked(evidence), _all(evidence), _unseen(evidence)


def warnings(evidence: Evidence) -> Iterator[str]:
    """What a reader must know before anything else."""
    at = evidence.first
    if at.place == VALIDATION:
        yield (
            "These are scores on the patients that configurations were chosen by: they describe "
            "the search. Finalists on patients that nothing was chosen by answer for "
            f"{evidence.kind}s: `mrisweep finalists DIR`."
        )
    if at.found.basis.reason:
        yield f"There are no intervals over patients: {at.found.basis.reason}."
    yield from dict.fromkeys(f"{note[0].upper()}{note[1:]}." for note in at.found.notes)
    said = at.by_score[evidence.metric.robust("mean")]
    yield from dict.fromkeys(f"{note[0].upper()}{note[1:]}." for note in said.notes)


def place_in_words(evidence: Evidence, at: At) -> str:
    """Where: ``on test patients``, ``at HT``."""
    if at.place == VALIDATION:
        return "on the validation patients"
    if at.place != TEST:
        return f"at {at.place}"
    return "on the test patients"


def _asked(evidence: Evidence) -> str:
    primary = evidence.primary
    if primary is None:
        return (
            "No comparison was stated before the sweep, so that everything below is a search for "
            "differences and not a test of one."
        )
    one, other = primary.stated.between
    what = f"{primary.stated.score} of {one} against {other} at {primary.stated.place}"
    if primary.found is None:
        return f"Stated before the sweep, {what}: {primary.reason}."
    chosen = f" ({primary.reason})" if primary.reason else ""
    return (
        f"Stated before the sweep, {what}{chosen}: {_sentence(primary.found)}, difference "
        f"{value(primary.found.difference, '+.3f')}, P {chance(primary.found.p)}."
    )


def _all(evidence: Evidence) -> str:
    at, kind = evidence.first, evidence.kind
    said = at.by_score[evidence.metric.robust("mean")]
    where = place_in_words(evidence, at)
    if len(evidence.groups) < 2:
        return f"There is one {kind} alone, {listed(evidence.groups)}, and nothing to compare."
    if not said.differences:
        return f"Whether {kind}s differ {where} is not known: {'; '.join(said.notes)}."
    if at.reference is None:
        pairs = [f"{one.first} and {one.second}" for one in said.differences if one.p_holm < LEVEL]
        found = f"{listed(pairs)} differ" if pairs else "no two are shown to differ"
        return (
            f"Of {len(evidence.groups)} {kind}s, each with each, under the artifacts of the stress "
            f"test {where}: {found} (Holm over {len(said.differences)} comparisons)."
        )
    return (
        f"Under the artifacts of the stress test {where}, "
        f"{_groups(said.differences, evidence, at)} "
        f"(Holm over {len(said.differences)})."
    )


def _unseen(evidence: Evidence) -> str:
    at = evidence.first
    name = f"{HOLDOUT}{evidence.metric.name}_mean"
    parts = []
    for place in evidence.places:
        said = place.by_score.get(name)
        if said and said.differences and place.reference is not None:
            where = place_in_words(evidence, place)
            parts.append(f"{where}, {_groups(said.differences, evidence, place)}")
    if not parts:
        return (
            "Artifacts that nothing was chosen by, and patients of elsewhere, were not asked or "
            "cannot be compared, so that nothing is known of them."
        )
    count = len(at.by_score[name].differences) if name in at.by_score else 0
    return f"Under artifacts that nothing was chosen by: {'; '.join(parts)} (Holm over {count})."


def _groups(differences: tuple[NormDifference, ...], evidence: Evidence, at: At) -> str:
    """Which are better than the reference, which worse, which as good."""
    better_is = 1 if evidence.metric.higher_is_better else -1
    sure = [one for one in differences if one.p_holm < LEVEL]
    alike = [one.first for one in differences if one.verdict == "equivalent"]
    kinds = {
        "better": [one.first for one in sure if better_is * one.difference > 0],
        "worse": [one.first for one in sure if better_is * one.difference < 0],
    }
    kinds = {word: [n for n in names if n not in alike] for word, names in kinds.items()}
    said = [
        f"{listed(names)} {'is' if len(names) == 1 else 'are'} {word} than {at.reference}"
        for word, names in kinds.items()
        if names
    ]
    if alike:
        said.append(
            f"{listed(alike)} {'is' if len(alike) == 1 else 'are'} equivalent to it by a margin of "
            f"{at.margin:g}"
            if said
            else f"{listed(alike)} {'is' if len(alike) == 1 else 'are'} equivalent to "
            f"{at.reference} by a margin of {at.margin:g}"
        )
    left = len(differences) - sum(map(len, kinds.values())) - len(alike)
    if left:
        whole = f"none of {len(differences)} {evidence.kind}s is shown to differ from"
        said.append(f"of {left} it is not known" if said else f"{whole} {at.reference}")
    return ", ".join(said)


def _sentence(found: NormDifference) -> str:
    return found.sentence.rstrip(".")
