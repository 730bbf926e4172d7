import pytest

from sweep.core.errors import UserError
from sweep.ingest.fastmri.choice import check_known, choose_rule
from sweep.ingest.fastmri.findings import Finding, read_findings
from sweep.ingest.fastmri.rule import apply_rule, load_rule, shipped_rules
from tests.support.data import FASTMRI_PLUS, needs

# The findings of a box in brain.csv of fastMRI+, and those of a whole volume whose names are known.
BRAIN = (
    "Absent septum pellucidum",
    "Craniectomy",
    "Craniectomy with Cranioplasty",
    "Craniotomy",
    "Dural thickening",
    "Edema",
    "Encephalomalacia",
    "Enlarged ventricles",
    "Extra-axial mass",
    "Intraventricular substance",
    "Lacunar infarct",
    "Likely cysts",
    "Mass",
    "Nonspecific lesion",
    "Nonspecific white matter lesion",
    "Normal variant",
    "Paranasal sinus opacification",
    "Pineal cyst",
    "Possible artifact",
    "Posttreatment change",
    "Resection cavity",
    "Colpocephaly",
    "Extra-axial collection",
    "Global Ischemia",
    "Global label: Small vessel chronic white matter ischemic change",
    "Global white matter disease",
    "Innumerable bilateral focal brain lesions",
    "Motion artifact",
    "Normal for age",
    "Possible demyelinating disease",
)
NO_FINDING = ("Normal for age", "Normal variant", "Possible artifact", "Motion artifact")
WHOLE = BRAIN[BRAIN.index("Colpocephaly") :]
KNEE = ("Meniscus Tear", "Ligament - ACL High Grade Sprain", "Joint Effusion ", "artifact")
PROSTATE = tuple(f"PIRADS {score}" for score in range(1, 6))


def rows(*names):
    return [Finding("f1", number, name in WHOLE, name) for number, name in enumerate(names)]


@pytest.mark.parametrize(
    ("names", "name"), [(BRAIN, "brain"), (KNEE, "madaan2023"), (PROSTATE, "prostate")]
)
def test_the_rule_that_knows_the_findings_is_chosen_and_no_other_knows_any(names, name):
    rule = choose_rule(rows(*names))
    assert rule.name == name
    check_known(rows(*names), rule)
    for other in set(shipped_rules()) - {name}:
        assert not [one for one in names if load_rule(other).knows(one)]
        message = (
            f"label rule {other}, which is for the .* know .*; pass --rule {name}, which knows"
        )
        with pytest.raises(UserError, match=message):
            check_known(rows(*names), load_rule(other))


@pytest.mark.parametrize("name", NO_FINDING)
def test_what_is_normal_or_an_artifact_is_no_finding_of_a_brain(name):
    labelled = apply_rule(rows(name), load_rule("brain"))
    assert (labelled.slices, labelled.volumes, labelled.ignored) == ({}, {}, 1)


def test_findings_of_a_brain():
    heeded = [one for one in BRAIN if one not in NO_FINDING]
    labelled = apply_rule(rows(*heeded), load_rule("brain"))
    counts = {}
    for labels in labelled.slices["f1"].values():
        counts[labels] = counts.get(labels, 0) + 1
    assert counts == {("white_matter",): 1, ("mass",): 2, ("postoperative",): 5, ("abnormal",): 11}
    assert labelled.volumes == {"f1": {"white_matter", "abnormal"}}


def test_scores_of_a_prostate():
    labelled = apply_rule(rows(*PROSTATE), load_rule("prostate"))
    assert labelled.slices == {"f1": dict.fromkeys((2, 3, 4), ("significant",))}
    with pytest.raises(
        UserError, match=r"does not know .*; received 'PIRADS 0' \(1 row\); write a"
    ):
        check_known(rows("PIRADS 0"), load_rule("prostate"))


def test_one_unknown_finding_among_many_is_refused_and_named():
    names = rows(*KNEE, "Hemorrhage", "Hemorrhage")
    rule = choose_rule(names)
    assert rule.name == "madaan2023"
    message = (
        r"which is for the knee, does not know .*; received 'Hemorrhage' \(2 rows\); write a rule"
    )
    with pytest.raises(UserError, match=message):
        check_known(names, rule)


def test_findings_that_no_shipped_rule_knows():
    with pytest.raises(
        UserError, match=r"no label rule that is shipped .*; received 'Spur'; write a"
    ):
        choose_rule(rows("Spur", "Spur"))


def test_a_rule_of_ones_own_is_for_what_it_says(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("labels: {spur: ['*']}")
    check_known(rows("Spur", "Mass"), load_rule(path))
    path.write_text("labels: {spur: ['*']}\nanatomy: heel\nknown: [spur]")
    with pytest.raises(UserError, match=r"for the heel, .*'Mass' \(1 row\)"):
        check_known(rows("Spur", "Mass"), load_rule(path))


@needs(FASTMRI_PLUS)
def test_the_rule_for_knees_knows_every_finding_of_the_real_file():
    found = read_findings(FASTMRI_PLUS / "knee.csv").rows
    rule = choose_rule(found)
    assert rule == load_rule("madaan2023")
    check_known(found, rule)
