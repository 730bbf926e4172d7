from collections import Counter

import pytest

from sweep.core.errors import UserError
from sweep.ingest.fastmri.findings import Finding, read_findings
from sweep.ingest.fastmri.rule import apply_rule, load_rule
from tests.support.data import FASTMRI_PLUS, needs


def rule(folder, text):
    path = folder / "rule.yaml"
    path.write_text(text, encoding="utf-8")
    return load_rule(path)


def found(name, number=0, file="f1", study_level=False):
    return Finding(file, number, study_level, name)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Ligament - ACL Low Grade sprain", "acl"),
        ("Meniscus Tear", "mtear"),
        ("Displaced Meniscal Tissue", "abnormal"),
        ("Cartilage - Full Thickness loss/defect", "cartilage"),
        ("LOSS OF CARTILAGE", "cartilage"),
        ("Patellar Retinaculum - High grade sprain", "abnormal"),
        ("artifact", "abnormal"),
    ],
)
def test_the_rule_of_the_study(name, label):
    assert load_rule("madaan2023").label_of(name) == label


def test_the_first_label_with_a_match_takes_a_finding(tmp_path):
    text = "labels: {tear: ['*tear*'], acl: ['acl*', 'pcl*']}"
    one = rule(tmp_path, text)
    assert list(one.labels) == ["tear", "acl"]
    assert one.label_of("ACL tear") == "tear"
    assert one.label_of("ACL sprain") == "acl"
    assert one.label_of("no acl") is None


def test_labels_are_collected_slice_by_slice(tmp_path):
    one = rule(tmp_path, "labels: {tear: ['*tear*'], other: ['*']}")
    labelled = apply_rule(
        [found("tear"), found("cyst"), found("old tear", 2), found("cyst", 2, file="f2")], one
    )
    assert labelled.slices == {"f1": {0: ("tear", "other"), 2: ("tear",)}, "f2": {2: ("other",)}}


def test_what_is_ignored_counts_for_nothing_and_is_counted(tmp_path):
    one = rule(tmp_path, "labels: {tear: ['*tear*']}\nignore: ['*effusion*', cyst]")
    labelled = apply_rule([found("Joint Effusion"), found("Cyst"), found("tear")], one)
    assert labelled.slices == {"f1": {0: ("tear",)}}
    assert labelled.ignored == 2


@pytest.mark.parametrize(
    ("line", "slices"),
    [("", {}), ("study_level: drop", {}), ("study_level: slice", {"f1": {0: ("any",)}})],
)
def test_findings_of_a_whole_volume(tmp_path, line, slices):
    one = rule(tmp_path, f"labels: {{any: ['*']}}\n{line}")
    labelled = apply_rule([found("artifact", study_level=True)], one)
    assert labelled.slices == slices
    assert labelled.study_level == 1


def test_a_finding_that_no_pattern_takes(tmp_path):
    one = rule(tmp_path, "labels: {tear: ['*tear*'], acl: ['acl*']}")
    with pytest.raises(
        UserError,
        match=r"match no label \(tear, acl\) and are not ignored; "
        r"received 'Cyst' \(2 rows\), 'Bone' \(1 row\); add patterns",
    ):
        apply_rule([found("Cyst"), found("tear"), found("Cyst", 1), found("Bone")], one)


def test_labels_that_yaml_takes_for_something_else_are_names(tmp_path):
    one = rule(tmp_path, "labels: {no: ['*a*'], 1: ['*b*'], 2024-13-45: ['*']}")
    assert list(one.labels) == ["no", "1", "2024-13-45"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"no 'labels' with patterns; received .*rule\.yaml: None; write it as"),
        ("[1, 2]", "the label rule has no 'labels' with patterns; received "),
        ("labels: {}", "the label rule has no 'labels' with patterns; received "),
        ("labels: [acl]", "the label rule has no 'labels' with patterns; received "),
        (
            "labels: {acl: '*ACL*'}",
            r"label 'acl' of the label rule is not a list of patterns; .*: '\*ACL\*';",
        ),
        ("labels: {acl: []}", "label 'acl' of the label rule is not a list of patterns"),
        ("labels: {acl: ['']}", "label 'acl' of the label rule is not a list of patterns"),
        ("labels: {acl: [{a: b}]}", "label 'acl' of the label rule is not a list of patterns"),
        (
            "labels: {'': ['*']}",
            "a label of the label rule has an empty name; received .*: ''; write",
        ),
        (
            "labels: {a: ['*']}\nignored: ['*']",
            r"a key of .*; received 'ignored'; did you mean 'ignore'\?",
        ),
        (
            "labels: {a: ['*']}\nignore: cyst",
            "'ignore' of the label rule is not a list of patterns; .*: 'cyst'",
        ),
        (
            "labels: {a: ['*']}\nstudy_level: keep",
            "'study_level' of .*; received 'keep'; known: drop, slice",
        ),
        (
            "labels: {a: ['*']}\nstudy_level: [slice]",
            r"'study_level' of .*; received \['slice'\]; did you mean 'slice'",
        ),
        (
            "labels: {acl: [*ACL*]}",
            r"not a YAML file in UTF-8; received .*rule\.yaml \(ScannerError: .*; correct",
        ),
        ("labels: {a: ['*'", "not a YAML file in UTF-8; received "),
        ("labels: {a: ['*'], a: ['b']}", "the key 'a' is there twice"),
        ("labels: " + "[" * 3000, "not a YAML file in UTF-8; received "),
    ],
)
def test_a_rule_that_cannot_be_used(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        rule(tmp_path, text)


def test_a_rule_that_is_not_there(tmp_path):
    with pytest.raises(
        UserError, match="of this name; received 'madan2023'; did you mean 'madaan2023'"
    ):
        load_rule("madan2023")
    with pytest.raises(UserError, match="not a YAML file in UTF-8; received "):
        load_rule(tmp_path)


@needs(FASTMRI_PLUS)
def test_the_counts_of_the_study():
    labelled = apply_rule(read_findings(FASTMRI_PLUS / "knee.csv").rows, load_rule("madaan2023"))
    positive = Counter(
        label
        for slices in labelled.slices.values()
        for labels in slices.values()
        for label in set(labels)
    )
    assert positive == {"mtear": 4858, "abnormal": 4497, "cartilage": 2986, "acl": 1439}
    assert len(labelled.slices) == 974
    assert sum(map(len, labelled.slices.values())) == 9594
    assert (labelled.ignored, labelled.study_level) == (0, 13)


def test_a_finding_of_a_whole_volume_that_counts_at_every_slice(tmp_path):
    one = rule(tmp_path, "labels: {any: ['*']}\nstudy_level: volume")
    labelled = apply_rule([found("old", 3), found("all over", study_level=True)], one)
    assert labelled.slices == {"f1": {3: ("any",)}}
    assert labelled.volumes == {"f1": {"any"}}
    assert labelled.study_level == 1
