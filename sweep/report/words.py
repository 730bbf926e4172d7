"""The conclusion: three sentences, made of the tests and of nothing else."""

from collections.abc import Iterator, Sequence

from sweep.core.finals import HOLDOUT, TEST, VALIDATION
from sweep.core.text import number_of, sentence
from sweep.report.evidence import At, Evidence
from sweep.report.numbers import chance, listed, value
from sweep.stats.effects import LEVEL, NormDifference


def conclusion(evidence: Evidence) -> tuple[str, str, str]:
    """What was asked before the sweep, what all norms or arms say, and what unseen artifacts do."""
    return _asked(evidence), _all(evidence), _unseen(evidence)


def warnings(evidence: Evidence) -> Iterator[str]:
    """What a reader must know before anything else."""
    at = evidence.first
    yield from _unfinished(evidence)
    if at.place == VALIDATION:
        yield (
            "These are scores on the patients that configurations were chosen by: they describe "
            "the search. Finalists on patients that nothing was chosen by answer for "
            f"{evidence.kind}s: `mrisweep finalists DIR`."
        )
    if evidence.records and not evidence.asked_finalists:
        yield "All finalists diverged, and have no score anywhere."
    if at.found.basis.reason:
        yield (
            f"Few patients: {at.found.basis.reason}. There are neither intervals nor tests of "
            f"{evidence.kind}s then, and bands of patients are a description."
        )
    yield from dict.fromkeys(map(sentence, at.found.notes))
    said = at.by_score[evidence.metric.robust("mean")]
    yield from dict.fromkeys(map(sentence, said.notes))


def _unfinished(evidence: Evidence) -> Iterator[str]:
    planned, trials = evidence.config.search.total, evidence.trials
    ended = sum(trial.status != "running" for trial in trials)
    if ended < planned:
        yield f"The sweep is not finished: {ended} of {number_of(planned, 'trial')} have ended."
    if absent := [one for one in evidence.config.groups() if one not in evidence.groups]:
        yield f"No training of {listed(absent)} has a score here."


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
            "No comparison was stated before finalists were asked, so that all below is a search "
            "for "
            "differences and not a test of one."
        )
    one, other = primary.stated.between
    what = f"{primary.stated.score} of {one} against {other} at {primary.stated.place}"
    if primary.found is None:
        return f"Stated before finalists were asked, {what}: {primary.reason}."
    chosen = f" ({primary.reason})" if primary.reason else ""
    return (
        f"Stated before finalists were asked, {what}{chosen}: {_sentence(primary.found)}, "
        "difference "
        f"{value(primary.found.difference, '+.3f')}, P {chance(primary.found.p)}."
    )


def _all(evidence: Evidence) -> str:
    at, kind, score = evidence.first, evidence.kind, evidence.metric.robust("mean")
    said = at.by_score[score]
    where = place_in_words(evidence, at)
    if len(evidence.groups) < 2:
        return f"There is one {kind} alone, {listed(evidence.groups)}, and nothing to compare."
    if not said.differences:
        return f"Whether {kind}s differ {where} is not known: {'; '.join(said.notes)}."
    return (
        f"Under the artifacts of the stress test {where}, by {score}, "
        f"{_groups(said.differences, evidence, at)}{_adjusted(said.differences)}."
    )


def _unseen(evidence: Evidence) -> str:
    """Held-out artifacts at every place, and of places of elsewhere the others as well."""
    held_out = f"{HOLDOUT}{evidence.metric.name}_mean"
    elsewhere = evidence.metric.robust("mean")
    parts = []
    for at in evidence.places:
        asked = [held_out] if held_out in at.by_score else []
        asked += [elsewhere] if at.place not in (VALIDATION, TEST, evidence.first.place) else []
        for score in asked:
            differences = at.by_score[score].differences
            if differences:
                where = place_in_words(evidence, at)
                said = _groups(differences, evidence, at) + _adjusted(differences)
                parts.append(f"{where}, by {score}, {said}")
    if not parts:
        return (
            "Artifacts that nothing was chosen by, and patients of elsewhere, were not asked or "
            "cannot be compared, so that nothing is known of them."
        )
    return f"Where nothing was chosen: {'; '.join(parts)}."


def _adjusted(differences: Sequence[NormDifference]) -> str:
    count = len(differences)
    return f" (Holm over {count})" if count > 1 else ""


def _groups(differences: Sequence[NormDifference], evidence: Evidence, at: At) -> str:
    """Which are better than the reference, which worse, which as good; or which differ."""
    if at.reference is None:
        pairs = [f"{one.first} and {one.second}" for one in differences if one.p_holm < LEVEL]
        return f"{listed(pairs)} differ" if pairs else "no two are shown to differ"
    better_is = 1 if evidence.metric.higher_is_better else -1
    alike = [one.first for one in differences if one.verdict == "equivalent"]
    sure = [one for one in differences if one.p_holm < LEVEL and one.first not in alike]
    kinds = {
        f"better than {at.reference}": [o.first for o in sure if better_is * o.difference > 0],
        f"worse than {at.reference}": [o.first for o in sure if better_is * o.difference < 0],
        f"equivalent to {at.reference} (each by itself, margin {at.margin:g})": alike,
    }
    said = [
        f"{listed(names)} {'is' if len(names) == 1 else 'are'} {word}"
        for word, names in kinds.items()
        if names
    ]
    left = [one.first for one in differences if one not in sure and one.first not in alike]
    if left and said:
        said.append(f"of {listed(left)} it is not known")
    elif len(left) == 1:
        said.append(f"{left[0]} is not shown to differ from {at.reference}")
    elif left:
        said.append(f"none of {len(left)} {evidence.kind}s is shown to differ from {at.reference}")
    return ", ".join(said)


def _sentence(found: NormDifference) -> str:
    """The verdict, as it stands within a sentence."""
    said = found.sentence.rstrip(".")
    known = said.startswith((found.first, found.second))
    return said if known else f"{said[0].lower()}{said[1:]}"
