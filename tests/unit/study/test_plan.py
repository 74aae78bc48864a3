"""Which variants a plan asks for, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from scenebook.core.errors import SettingsError
from scenebook.core.profiles import find_plan, list_plans, load_profile
from scenebook.core.project import project_root
from scenebook.core.settings import NO_AUGMENTATION, Settings, make_settings
from scenebook.data.folds import Fold
from scenebook.evaluation.claims.loading import claims_path, load_claims
from scenebook.study.plan import BASE, choose_variants, load_plan, plan_path
from scenebook.study.results import tabulate_plan
from scenebook.study.trials import list_trials
from scenebook.study.verdicts import check_claims

CLAIMS = load_claims(claims_path(None)).claims


def settings(**changes: Any) -> Settings:
    return Settings(**changes)


def load(tmp_path: Path, text: str, **changes: Any) -> list[Any]:
    file = tmp_path / "plan.yaml"
    file.write_text(f"variants:\n{text}", encoding="utf-8")
    return load_plan(file, settings(**changes))


def test_the_projects_plan_tests_the_papers_four_claims_both_ways_and_each_operation() -> None:
    run = settings(rotation_range=90.0, brightness=0.1)
    variants = load_plan(plan_path(None), run)
    by_name = {variant.name: variant for variant in variants}
    assert variants[0].name == BASE
    assert {variant.claim for variant in variants} == {
        None,
        "learning-rate",
        "epochs",
        "no-augmentation",
        "more-layers",
    }
    assert {variant.seeds for variant in variants if variant.claim} == {3}
    assert {variant.seeds for variant in variants if not variant.claim} == {1, 3}  # the base as often as the claims
    assert by_name["learning-rate-x10"].change == {"learning_rate": 0.01}
    assert by_name["learning-rate-d10"].change == {"learning_rate": 0.0001}
    assert by_name["learning-rate-d10"].direction == "opposite"
    assert by_name["epochs-x3"].change == {"epochs": 3 * run.epochs}
    assert by_name["last-stage"].change == {"trainable_base_layers": "last stage"}
    assert not by_name["no-augmentation"].apply_to(run).is_augmented
    assert [len(by_name[name].change) for name in ("no-rotation", "no-zoom", "no-flip", "rescaled-input")] == [1] * 4


def test_every_variant_of_the_plan_for_the_recommended_recipe_changes_it() -> None:
    folder = project_root() / "profiles"
    run = make_settings(load_profile(folder / "recommended.yaml"))
    file = folder / "recipe-ablations.yaml"
    variants = load_plan(file, run)
    assert [variant.name for variant in variants[1:]] == [
        entry["name"] for entry in yaml.safe_load(file.read_text(encoding="utf-8"))["variants"]
    ]


def test_augmentation_off_leaves_what_is_named_beside_it(tmp_path: Path) -> None:
    _, flips = load(tmp_path, "  - {name: a, title: A, change: {vertical_flip: true, augmentation: off}}\n")
    on = flips.apply_to(settings()).augmentation
    assert {name for name, value in on.items() if value} == {"vertical_flip"}
    assert flips.change["horizontal_flip"] is False
    assert {name: value for name, value in on.items() if name != "vertical_flip"}.items() <= NO_AUGMENTATION.items()


def test_the_plans_table_has_a_row_for_the_base_and_each_variant() -> None:
    rows = tabulate_plan(load_plan(plan_path(None), settings(learning_rate=0.001))).to_numpy().tolist()
    assert rows[0][0] == BASE
    assert rows[1] == ["learning-rate-x10", "learning_rate 0.01", "learning-rate", 3]


def test_a_variant_that_changes_nothing_is_left_out(tmp_path: Path) -> None:
    variants = load(
        tmp_path, "  - {name: still, title: no rotation, change: {rotation_range: 0}}\n", rotation_range=0.0
    )
    assert [variant.name for variant in variants] == [BASE]


@pytest.mark.parametrize(
    ("ablations", "names"), [("none", []), ("claims", [BASE, "one"]), ("full", [BASE, "one", "two"])]
)
def test_claims_are_those_that_test_one(tmp_path: Path, ablations: str, names: list[str]) -> None:
    variants = load(
        tmp_path,
        "  - {name: one, title: A, change: {epochs: 1}, claim: epochs}\n"
        "  - {name: two, title: B, change: {decay: 0.1}}\n",
    )
    assert [variant.name for variant in choose_variants(variants, ablations)] == names


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{name: a, title: A, change: {image_size: 64}}", "variants.0.change"),
        (
            "{name: a, title: A, change: {learning_rate: {times: 1.0e+9}}}",
            "plan.yaml, variant a: Expected a valid value",
        ),
        (
            "{name: a, title: A, change: {learning_rate: {times: x}}}",
            r"a setting's value, or.*learning_rate', line=2",
        ),
        ("{name: a, title: A, change: {epochs: {times: -1}}}", "variants.0.change"),
        ("{name: a, title: A, change: {epochs: many}}", "variant a: Expected a valid value for the setting epochs"),
        ("{name: a, title: A, change: {}}", "variants.0.change"),
        ("{name: a, title: A, change: {augmentation: on}}", "variant a: Expected augmentation to be off"),
        ("{name: ../a, title: A, change: {epochs: 1}}", "variants.0.name"),
        ("{name: base, title: A, change: {epochs: 1}}", "another name for each variant.*name='base'"),
        ("{name: a, title: A, change: {epochs: 1}, seed: 3}", "variants.0.seed"),
        ("!!python/object/apply:os.system [ls]", "plan of variants in YAML"),
        ("{name: a", "plan of variants in YAML"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, entry: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(tmp_path, f"  - {entry}\n")


def test_a_plan_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"readable plan of variants.*none.yaml"):
        load_plan(tmp_path / "none.yaml", settings())


def test_a_claim_that_no_study_can_test_is_an_error(tmp_path: Path) -> None:
    variants = load(tmp_path, "  - {name: a, title: A, change: {epochs: 1}, claim: accuracy}\n")
    with pytest.raises(SettingsError, match=r"learning-rate, epochs.*Received: variant='a', claim='accuracy'"):
        check_claims(variants, CLAIMS)
    check_claims(load_plan(plan_path(None), settings()), CLAIMS)


# Backbones


def test_the_plan_of_backbones_takes_each_with_weights_of_its_own() -> None:
    plan = find_plan("backbones", project_root() / "profiles", Path())
    variants = load_plan(plan, settings(weights="resnet50.weights.h5", backbone="ResNet50"))
    assert "resnet50" in {variant.name for variant in variants}  # with other weights than the run's
    assert {variant.change["weights"] for variant in variants[1:]} == {"imagenet"}
    assert "efficientnet-lite0" not in {one.name for one in load_plan(plan, settings())}  # the run's own


def test_weights_of_a_variant_lie_where_the_plan_says_and_need_not_be_there(tmp_path: Path) -> None:
    text = "  - {name: mine, title: Mine, change: {backbone: MobileNet, weights: mine.weights.h5}}\n"
    _, mine = load(tmp_path, text)
    assert mine.change["weights"] == str(tmp_path.resolve() / "mine.weights.h5")
    assert "mine.weights.h5" in tabulate_plan([mine])["changed"][0]
    assert str(tmp_path) not in tabulate_plan([mine])["changed"][0]
    summary = {"recipe_sha256": "r", "weights_sha256": "w"}
    (trial,) = list_trials([mine], settings(), [Fold(np.arange(2), np.arange(1), "f")], summary)
    missing = trial.key
    for content in (b"one", b"two"):
        (tmp_path / "mine.weights.h5").write_bytes(content)
        assert trial.key != missing
        missing = trial.key


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("{backbone: ResNet5}", "variant a: .*Did you mean ResNet50"),
        ("{weights: mine.pt}", r"variant a: .*a \.weights\.h5 or \.keras file"),
    ],
)
def test_a_backbone_that_there_is_not_is_named(tmp_path: Path, change: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(tmp_path, f"  - {{name: a, title: A, change: {change}}}\n")


def test_a_plan_is_found_by_its_name_or_as_a_file(tmp_path: Path) -> None:
    folder = project_root() / "profiles"
    assert list_plans(folder) == ["ablations", "backbones", "recipe-ablations"]
    assert find_plan("recipe-ablations", folder, tmp_path) == folder / "recipe-ablations.yaml"
    (tmp_path / "mine.yaml").touch()
    assert find_plan("mine.yaml", folder, tmp_path) == (tmp_path / "mine.yaml").resolve()
    with pytest.raises(SettingsError, match=r"Did you mean backbones\? Known plans: ablations, backbones"):
        find_plan("backbone", folder, tmp_path)
