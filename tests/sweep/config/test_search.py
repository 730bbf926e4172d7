"""Settings of the search: what is fair, what a sampler can do, and what is refused."""

import math
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import artifacts_sim
from sweep.config.reading import override
from sweep.config.space import combinations
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError

NORMS = ["batch", "group", "layer"]
SPACE: dict[str, Any] = {"model.norm": {"choice": NORMS}, "train.lr": {"log": [1e-4, 1e-2]}}
TWO = ["clean/auroc", "robust/auroc_mean"]
GROUPS = {"choice": [2, 4], "when": {"model.norm": "group"}}


def sweep(space: dict[str, Any] | None = None, **search: Any) -> SweepConfig:
    search = {"space": SPACE if space is None else space, **search}
    data = {"store": "s.h5", "train": [1], "validation": [2]}
    train = {"augment": {"artifacts": ["rician"]}}
    return SweepConfig.from_dict({"name": "s", "data": data, "search": search, "train": train})


@pytest.mark.parametrize(
    ("search", "total"),
    [
        ({}, 21),
        ({"trials": 12}, 12),
        ({"trials": 20, "budget": "joint"}, 20),
        ({"trials": 20, "stratify": None}, 20),
        ({"trials": 20, "equal": "epochs"}, 20),
        ({"budget": "joint"}, 20),
    ],
)
def test_the_strata_share_the_trials(search: dict[str, Any], total: int) -> None:
    assert sweep(**search).search.total == total


def test_a_total_that_the_strata_do_not_divide_is_refused_with_the_nearest_that_they_do() -> None:
    with pytest.raises(
        UserError, match=r"equally to 3 strata.*; received 20; set 18 or 21, or search.budget to jo"
    ):
        sweep(trials=20)
    with pytest.raises(UserError, match=r"received 2; set 3, or"):
        sweep(trials=2)
    with pytest.raises(UserError, match=r"the trials to add .* received 4; add 3 or 6"):
        sweep(trials=12).search.extended(4)
    assert sweep(trials=12).search.extended(6).total == 18
    with pytest.raises(UserError, match=r"trials cannot take this value; .*; give 1 to 100,000"):
        sweep(trials=12).search.extended(6 * 10**20)


@pytest.mark.parametrize(
    ("search", "method"),
    [
        ({}, "sobol"),
        ({"scheduler": "asha"}, "tpe"),
        ({"subject_to": ["clean/auroc >= 0.8"]}, "tpe"),
        ({"scheduler": "none"}, "gp"),
        ({"scheduler": "none", "space": {**SPACE, "model.norm_groups": GROUPS}}, "gp"),
        (
            {
                "scheduler": "none",
                "budget": "joint",
                "space": {**SPACE, "model.norm_groups": GROUPS},
            },
            "tpe",
        ),
        ({"sampler": "random", "scheduler": "none"}, "random"),
    ],
)
def test_auto_is_what_can_read_the_trials(search: dict[str, Any], method: str) -> None:
    assert sweep(**search).search.method() == method


@pytest.mark.parametrize(
    ("search", "scheduler"),
    [
        ({}, "topk"),
        ({"sampler": "random"}, "topk"),
        ({"sampler": "tpe"}, "asha"),
        ({"sampler": "gp"}, "none"),
        ({"subject_to": ["clean/auroc >= 0.8"]}, "asha"),
        ({"from": "sweeps/one"}, "asha"),
        ({"equal": "epochs", "trials": 20}, "asha"),
        ({"sampler": "gp", "scheduler": "asha"}, "asha"),
    ],
)
def test_trials_wait_unless_a_sampler_is_to_learn_of_those_that_ended(
    search: dict[str, Any], scheduler: str
) -> None:
    made = sweep(**search)
    assert made.search.scheduler == scheduler
    assert SweepConfig.from_dict(made.to_plain()) == made


def test_the_record_of_a_search_is_read_back(tmp_path: Path) -> None:
    config = sweep(
        trials=12,
        space={**SPACE, "model.norm_groups": GROUPS},
        subject_to=["clean/auroc >= 0.9"],
        start=[{"train.lr": 1e-3}],
        **{"from": "/sweeps/one"},
    )
    (tmp_path / "sweep.yaml").write_text(config.to_yaml())
    assert SweepConfig.from_yaml(tmp_path / "sweep.yaml") == config
    assert config.search.from_ == "/sweeps/one"
    assert "from: /sweeps/one" in config.to_yaml()


@pytest.mark.parametrize(
    ("search", "objective", "compared"),
    [
        ({}, "robust/auroc_cvar", (0.7,)),
        ({"objective": "0.5 clean/auroc + 0.5 robust/auroc_mean"}, None, (0.85,)),
        ({"objectives": TWO}, "0.5 clean/auroc + 0.5 robust/auroc_mean", (0.9, 0.8)),
        ({"objectives": TWO, "stop_by": "objective"}, None, (0.85,)),
        (
            {
                "objectives": TWO,
                "objective": "0.2 robust/auroc_mean + 0.8 clean/auroc",
                "stop_by": "objective",
            },
            "0.2 robust/auroc_mean + 0.8 clean/auroc",
            (0.88,),
        ),
    ],
)
def test_what_decides_and_what_is_compared(
    search: dict[str, Any], objective: str | None, compared: tuple[float, ...], tmp_path: Path
) -> None:
    config = sweep(**search)
    metrics = {"clean/auroc": 0.9, "robust/auroc_mean": 0.8, "robust/auroc_cvar": 0.7}
    assert config.search.compared(metrics) == pytest.approx(compared)
    assert objective in (None, config.search.objective)
    assert config.trial({"model.norm": "group"}).objective == config.search.objective
    (tmp_path / "sweep.yaml").write_text(config.to_yaml())
    assert SweepConfig.from_yaml(tmp_path / "sweep.yaml") == config


def test_a_pair_that_lacks_a_metric_has_a_gap() -> None:
    first, second = sweep(objectives=TWO).search.values({"clean/auroc": 0.9})
    assert first == 0.9
    assert math.isnan(second)


def test_a_misspelt_from_is_told() -> None:
    with pytest.raises(UserError, match=r"received 'search.form'; did you mean 'from'\?"):
        sweep(form="x")


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (
            {"space": {**SPACE, "seed": {"choice": [0, 1]}}},
            r"has the seed, and a search would choose the luckiest",
        ),
        ({"subject_to": ["clean/auroc"]}, r"subject_to cannot be read; received 'clean/auroc'"),
        ({"subject_to": ["clean/aurc >= 1"]}, r"unknown name.*'clean/aurc'; did you mean 'clean/"),
        (
            {"subject_to": ["clean/auroc >= 90"]},
            r"outside 0 to 1, .*'clean/auroc >= 90'; give a sh",
        ),
        ({"subject_to": ["clean/auroc == 1"]}, r"one exact value.*; ask for >= or <="),
        ({"start": [{"train.decay": 1}]}, r"start\[0\] has a setting that is not searched"),
        ({"start": [{"train.lr": 1.0}]}, r"a value of train.lr that .* does not offer; rec.* 1"),
        ({"trials": 3, "start": [{}, {}]}, r"more configurations than .*; received 2 for 1"),
        ({"sampler": "grid", "start": [{}]}, r"train.lr is a range, and a grid"),
        ({"equal": "epochs", "budget": "joint"}, r"search.equal is epochs, which only strata"),
        ({"space": {**SPACE, "model.norm": {"choice": [1, "1"]}}}, r"read alike"),
        ({"sampler": "cmaes", "budget": "joint"}, r"model.norm is a choice .* takes numbers"),
        ({"objectives": TWO[:1]}, r"not two different metrics; received \['clean/auroc'\]; name"),
        ({"objectives": [*TWO, "robust/auroc_worst"]}, r"objectives are not two different metrics"),
        ({"objectives": [TWO[0], TWO[0]]}, r"objectives are not two different metrics"),
        ({"objectives": [TWO[0], "clean/aurc"]}, r"objectives has an unknown name.*; did you mean"),
        ({"objective": "clean/auroc + 2 robust/roc"}, r"unknown name; received 'robust/roc'"),
        ({"objective": "0 clean/auroc"}, r"objective cannot take .*; give weights above 0"),
        (
            {"objectives": TWO, "objective": "clean/auroc"},
            r"no sum of both objectives; received 'clean/auroc' with .*; leave it out for their "
            r"mean, '0.5 clean/auroc \+ 0.5 robust/auroc_mean', or",
        ),
        ({"objectives": TWO, "sampler": "cmaes"}, r"objectives are two, and cmaes knows one"),
    ],
)
def test_what_is_unfair_or_cannot_be_done_is_refused(search: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        sweep(**search)


def test_a_start_that_names_a_norm_counts_for_that_norm_alone() -> None:
    start = [{"model.norm": norm, "train.lr": 1e-3} for norm in NORMS]
    assert sweep(trials=3, start=start).search.total == 3
    with pytest.raises(UserError, match=r"more configurations than .*; received 2 for 1"):
        sweep(trials=3, start=[*start, {"model.norm": "layer"}])
    assert sweep(trials=3, start=start, budget="joint").search.total == 3
    with pytest.raises(UserError, match=r"more configurations than .*; received 3 for 2"):
        sweep(trials=2, start=start, budget="joint")


def test_a_sampler_whose_package_is_missing_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cmaes", None)  # Python then takes it for not installed
    with pytest.raises(UserError, match=r"no module 'cmaes'; pip install 'mrisweep\[search\]', or"):
        sweep(sampler="cmaes")


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("group", r"when does not say which setting has which value; received 'group'; write it"),
        ({"train.lr": 1e-3}, r"is itself no choice of search.space; received 'train.lr'; known: "),
        ({"model.nrm": "group"}, r"received 'model.nrm'; did you mean 'model.norm'\?"),
        ({"model.norm": "instance"}, r"does not offer; received 'instance'; take of \['batch'"),
        ({"model.norm_groups": 2}, r"depend on each other; received model.norm_groups -> model"),
    ],
)
def test_a_condition_that_cannot_hold_is_refused(when: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        sweep(space={**SPACE, "model.norm_groups": {"choice": [2, 4], "when": when}})


def test_a_grid_has_no_conditions_and_strata_depend_on_nothing() -> None:
    grid = {"model.norm": {"choice": NORMS}, "model.norm_groups": GROUPS}
    with pytest.raises(UserError, match=r"at times, and a grid tries every combination"):
        sweep(space=grid, sampler="grid")
    heads = {"choice": ["gap", "pool10"]}
    norms = {"choice": NORMS, "when": {"model.head": "gap"}}
    with pytest.raises(UserError, match=r"norm is searched at times, and its values are the str"):
        sweep(space={"model.norm": norms, "model.head": heads})


def test_values_are_checked_beside_those_that_they_depend_on() -> None:
    dimensions = sweep(space={**SPACE, "model.norm_groups": GROUPS}).search.dimensions()
    assert list(combinations(dimensions, ["model.norm_groups"])) == [
        {"model.norm": "batch"},
        {"model.norm": "group", "model.norm_groups": 2},
        {"model.norm": "group", "model.norm_groups": 4},
        {"model.norm": "layer"},
    ]
    augmix = {
        "train.augment.augmix": {"choice": [0, 3]},
        "train.augment.augmix_consistency": {
            "choice": [1.0, 12.0],
            "when": {"train.augment.augmix": 3},
        },
    }
    together = sweep(space={**SPACE, **augmix}).augmentations("augmix", "augmix_consistency")
    assert [one.augmix_consistency > 0 for one in together] == [False, True, True]
    del augmix["train.augment.augmix_consistency"]["when"]
    with pytest.raises(UserError, match=r"augmix_consistency offers 1: train.augment: "):
        sweep(space={**SPACE, **augmix})


ARMS: dict[str, Any] = {
    "batch": {"model.norm": "batch"},
    "layer": {"model.norm": "layer"},
    "layer+artifacts": {"model.norm": "layer", "train.augment.artifacts": ["search"]},
}
RATE: dict[str, Any] = {"train.lr": {"log": [1e-4, 1e-2]}}


def test_arms_are_the_strata_and_set_what_they_say() -> None:
    config = sweep(RATE, arms=ARMS, trials=12)
    assert config.search.strata() == tuple(ARMS)
    assert config.groups() == tuple(ARMS)
    assert config.search.shares() == 3
    trial = config.trial({"arm": "layer+artifacts", "train.lr": 0.002})
    assert trial.model.norm == "layer"
    assert trial.train.lr == 0.002
    assert trial.train.augment.artifacts == artifacts_sim.families()["search"]
    assert config.trial({"arm": "layer"}).train.augment.artifacts == ("rician",), "as it is set"
    assert {model.norm for model in config.networks()} == {"batch", "layer"}
    again = SweepConfig.from_dict(yaml.safe_load(config.to_yaml()))
    assert again == config


def test_an_arm_can_be_changed_by_its_dotted_name() -> None:
    raw = {**sweep(RATE, arms=ARMS, trials=12).to_plain()}
    changed = override(raw, ["search.arms.layer.model.norm=group"])
    assert SweepConfig.from_dict(changed).trial({"arm": "layer"}).model.norm == "group"


@pytest.mark.parametrize(
    ("arms", "space", "match"),
    [
        ({"one": {"model.norm": "batch"}}, RATE, "one arm, which is compared with nothing"),
        ({**ARMS, "a/b": {"model.norm": "group"}}, RATE, "a name that an arm cannot have"),
        ({**ARMS, "by:x": {"model.norm": "group"}}, RATE, "a name that an arm cannot have"),
        ({**ARMS, "again": {"model.norm": "batch"}}, RATE, "two arms are the same"),
        (ARMS, SPACE, "search.arms.batch sets what search.space searches; .*'model.norm'"),
        (ARMS, {**RATE, "arm": {"choice": ["batch"]}}, "'arm', which is no setting"),
        (
            {**ARMS, "more": {"train.augment": {"rotate": 5}}},
            {**RATE, "train.augment.rotate": {"uniform": [0, 9]}},
            "search.arms.more sets what search.space searches",
        ),
        ({**ARMS, "easy": {"stress.levels": [1]}}, RATE, "search.arms.easy .*cannot be searched"),
        ({**ARMS, "lucky": {"seed": 3}}, RATE, "search.arms.lucky has the seed"),
        ({**ARMS, "odd": {"model.norm": "bach"}}, RATE, "search.arms.odd.*bach"),
        ({**ARMS, "odd": {"model.nrm": "batch"}}, RATE, "nrm"),
    ],
)
def test_arms_that_could_not_be_compared_are_refused(
    arms: dict[str, Any], space: dict[str, Any], match: str
) -> None:
    with pytest.raises(UserError, match=match):
        sweep(space, arms=arms, trials=12 * len(arms))


def test_the_strata_of_a_sweep_with_arms_are_the_arms() -> None:
    with pytest.raises(UserError, match=r"search.stratify is set beside search.arms"):
        sweep({**RATE, "train.ema": {"choice": [0, 0.9]}}, arms=ARMS, stratify="train.ema")
