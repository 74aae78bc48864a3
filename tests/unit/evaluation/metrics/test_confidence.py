from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier

from scenebook.core.sentences import fill, without_marks
from scenebook.evaluation.metrics import calibration, intervals
from scenebook.evaluation.metrics.classification import compute_scores
from scenebook.evaluation.metrics.confidence import (
    CONFIDENCE,
    compute_calibration,
    compute_conformal_sets,
    compute_coverage,
    compute_refusals,
    compute_set_scores,
    compute_threshold_rank,
)
from scenebook.evaluation.metrics.intervals import compute_proportion
from scenebook.notebook.prose.calibration import tell_abstention, tell_calibration, tell_sets, tell_temperature
from tests.unit.evaluation.metrics.confident import Probabilities, as_predictions, draw_probs, draw_too_sure


@pytest.fixture(autouse=True)
def resample_less(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = (intervals.resample_means, calibration.compute_chance_errors, calibration.compute_calibration_error)
    for function in functions:
        keywords = function.__kwdefaults__
        assert keywords
        monkeypatch.setitem(keywords, "resamples", 1000)


DESCRIBE = (tell_calibration, tell_temperature, tell_abstention, tell_sets)
HOSTILE = ["<b>x</b>", 'a "quoted" | *name*', "\N{SNOWMAN}", "{brace}"]


def measure(test: tuple[np.ndarray, np.ndarray], validation: tuple[np.ndarray, np.ndarray]) -> Any:
    names = HOSTILE[: test[0].shape[1]]
    return compute_calibration(as_predictions(*test, names), as_predictions(*validation, names), names, seed=0)


def read(facts: dict[str, Any]) -> list[str]:
    return [without_marks(fill(describe(facts), [facts]).markdown) for describe in DESCRIBE]


def all_of(which: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    probs, _ = draw_probs(n, seed=n)
    return probs, getattr(probs, which)(axis=1)


TIED = (np.tile([0.7, 0.3], (12, 1)), np.array([0, 1] * 6))


@pytest.mark.parametrize(
    ("test", "validation"),
    [
        (draw_probs(300, seed=0), draw_probs(42, seed=1)),
        (draw_probs(3, seed=0, num_classes=2), draw_probs(2, seed=1, num_classes=2)),
        (draw_probs(1, seed=0), draw_probs(1, seed=1)),
        (all_of("argmax", 30), all_of("argmax", 12)),
        (all_of("argmin", 30), all_of("argmin", 12)),
        (TIED, TIED),
    ],
    ids=["usual", "tiny", "one image", "all right", "all wrong", "all alike"],
)
def test_any_predictions_can_be_measured_kept_and_described(test: Any, validation: Any) -> None:
    found = measure(test, validation)
    facts = json.loads(json.dumps(found.facts, allow_nan=False))
    for sentence in read(facts):
        assert "nan" not in sentence
        assert sentence.endswith(".")
    assert found.bins["n"].sum() == found.curve["n"].iloc[-1] == len(test[0])
    assert facts["n_validation"] == len(validation[0])


def test_the_facts_agree_with_the_scores_of_the_run() -> None:
    test, validation = draw_probs(200, seed=0), draw_probs(42, seed=1)
    facts = measure(test, validation).facts
    scores = compute_scores(as_predictions(*test, HOSTILE), HOSTILE, seed=0)
    for name in ("accuracy", "ece"):
        assert facts[name] == scores[name]
    assert facts["log_loss"] == pytest.approx(scores["log_loss"])


def test_both_tables_of_bins_are_kept_with_their_temperature() -> None:
    found = measure(draw_probs(200, seed=0, temperature=2.0), draw_probs(100, seed=1, temperature=2.0))
    table = found.list_bins()
    assert table["temperature"].unique().tolist() == [1.0, found.facts["temperature"]["value"]]
    assert table.groupby("temperature")["n"].sum().tolist() == [200, 200]
    alike = measure(TIED, TIED)
    assert alike.list_bins()["temperature"].unique().tolist() == [1.0]


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (draw_too_sure(400, seed=0, excess=0.2), "**overconfident**"),
        (draw_too_sure(400, seed=0, excess=-0.2), "**underconfident**"),
        (draw_too_sure(400, seed=0, excess=0.0), "may be due to chance"),
    ],
)
def test_the_sentence_says_in_which_direction_the_confidence_errs(test: Any, words: str) -> None:
    facts = measure(test, draw_too_sure(60, seed=1, excess=0.0)).facts
    assert words in tell_calibration(facts)
    assert "so few errors" not in tell_calibration(facts)


def test_errors_in_both_directions_and_too_few_errors_are_said() -> None:
    facts = measure(draw_too_sure(400, seed=0, excess=0.2), draw_too_sure(60, seed=1, excess=0.0)).facts
    balanced = facts | {"mean_confidence": facts["accuracy"]["value"]}
    assert "overconfident in some bins and underconfident in others" in tell_calibration(balanced)
    # The error is no more than the distance of the means: no bin errs the other way.
    ece = {"value": 0.01, "low": 0.001, "high": 0.02}
    one_way = facts | {"mean_confidence": facts["accuracy"]["value"] - 0.01, "ece": ece}
    assert "is **underconfident**" in tell_calibration(one_way)
    assert "so few errors" in tell_calibration(facts | {"errors": 4})


def test_the_sentence_on_the_temperature_knows_what_it_did() -> None:
    helped = measure(*(draw_probs(n, seed=n, temperature=2.5) for n in (300, 150))).facts
    assert "more even" in tell_temperature(helped)
    assert "the correction helps" in tell_temperature(helped)
    worse = measure(draw_probs(300, seed=0), draw_probs(150, seed=1, temperature=2.5)).facts
    assert "does not carry over" in tell_temperature(worse)
    idle = measure(draw_probs(60, seed=0), draw_probs(40, seed=3)).facts
    assert "may be nothing to correct" in tell_temperature(idle)
    unsure = measure(*(draw_probs(n, seed=n, temperature=0.4) for n in (300, 150))).facts
    assert "more extreme" in tell_temperature(unsure)
    assert "No temperature can be fitted" in tell_temperature(helped | {"temperature": None})


def test_the_sentence_on_abstaining_knows_whether_it_pays() -> None:
    facts = measure(draw_probs(400, seed=0), draw_probs(40, seed=1)).facts
    assert "tells easy" in tell_abstention(facts)
    overlapping = facts | {"refused": compute_proportion(3, 5), "answered": compute_proportion(16, 20)}
    assert "not shown" in tell_abstention(overlapping)
    assert "not shown" in tell_abstention(facts | {"refused": facts["answered"]})
    misled = facts | {"refused": compute_proportion(80, 80), "answered": compute_proportion(160, 320)}
    assert "is lower for the easy images" in tell_abstention(misled)
    assert "same confidence" in tell_abstention(facts | {"refused": None})
    assert "No test image is misclassified" in tell_abstention(facts | {"errors": 0})
    assert "Every test image is misclassified" in tell_abstention(facts | {"errors": facts["n"]})


def test_the_sentence_on_sets_compares_with_what_so_few_images_promise() -> None:
    facts = measure(draw_probs(400, seed=0), draw_probs(90, seed=1)).facts
    assert "agrees with it" in tell_sets(facts)
    assert "on average" in tell_sets(facts)
    single = facts | {"set_single": compute_proportion(400, 400)}
    assert "Each has just one class" in tell_sets(single)
    below = facts | {"set_coverage": compute_proportion(200, 400)}
    assert "unlike the validation images" in tell_sets(below)
    above = facts | {"set_coverage": compute_proportion(400, 400)}
    assert "easier than the validation images" in tell_sets(above)
    alone = above | {"accuracy": compute_proportion(399, 400)}
    assert "the most probable class alone is right more often" in tell_sets(alone)
    assert "need at least" in tell_sets(facts | {"set_expected": None})


def test_the_curve_equals_a_hand_worked_case_and_answers_ties_together() -> None:
    confidence = np.array([0.9, 0.6, 0.8, 0.8])
    probs = np.stack([confidence, 1 - confidence], axis=1)
    curve = compute_coverage(probs, np.array([0, 1, 1, 0]))
    assert curve["threshold"].tolist() == [0.9, 0.8, 0.6]
    assert curve["n"].tolist() == [1, 3, 4]
    assert curve["coverage"].tolist() == [0.25, 0.75, 1.0]
    assert curve["accuracy"].tolist() == pytest.approx([1, 2 / 3, 0.5])
    assert curve[["low", "high"]].iloc[1].tolist() == pytest.approx(list(compute_proportion(2, 3).values())[1:])


def test_refusals_are_what_the_threshold_leaves() -> None:
    confidence = np.linspace(0.95, 0.55, 10)
    probs = np.stack([confidence, 1 - confidence], axis=1)
    facts = compute_refusals(compute_coverage(probs, np.array([0] * 7 + [1] * 3)))
    assert facts["answered_share"] == 0.8
    assert facts["answered_threshold"] == pytest.approx(confidence[7])
    assert facts["answered"] == compute_proportion(7, 8)
    assert facts["refused"] == compute_proportion(0, 2)
    assert facts["n_refused"] == 2


def test_equal_confidences_leave_nothing_to_refuse() -> None:
    facts = compute_refusals(compute_coverage(np.full((5, 2), 0.5), np.array([0, 0, 1, 1, 0])))
    assert facts["answered_share"] == 1
    assert facts["refused"] is None
    assert facts["answered"] == compute_proportion(3, 5)


@pytest.mark.parametrize("m", [10, 39, 42, 150])
def test_sets_equal_another_implementations_with_the_most_probable_class(m: int) -> None:
    calibration, test = draw_probs(m, seed=m), draw_probs(200, seed=1)[0]
    calibration[1][:4] = range(4)  # the other one wants every class among them
    other = SplitConformalClassifier(Probabilities(4), confidence_level=0.9, prefit=True, conformity_score="lac")
    _, expected = other.conformalize(*calibration).predict_set(test)
    expected = expected[:, :, 0] | (np.arange(4) == test.argmax(axis=1)[:, None])
    np.testing.assert_array_equal(compute_conformal_sets(*calibration, test), expected)


@pytest.mark.parametrize("m", [9, 25, 60])
def test_sets_hold_the_true_class_as_often_as_promised(m: int) -> None:
    held = []
    for seed in range(200):
        probs, positions = draw_probs(m + 100, seed=seed, temperature=2.0)
        sets = compute_conformal_sets(probs[:m], positions[:m], probs[m:])
        held.append(sets[np.arange(100), positions[m:]].mean())
    assert np.mean(held) >= CONFIDENCE - 0.01


@pytest.mark.parametrize("m", [1, 8])
def test_too_few_validation_images_give_sets_of_all_classes(m: int) -> None:
    test = draw_probs(20, seed=0)
    assert compute_conformal_sets(*draw_probs(m, seed=1), test[0]).all()
    facts = compute_set_scores(draw_probs(m, seed=1), *test, seed=0)
    assert facts["set_expected"] is None
    assert facts["set_needs"] == 9
    assert facts["set_size"] == {"value": 4, "low": 4, "high": 4}
    assert facts["set_coverage"]["value"] == 1


@pytest.mark.parametrize(("m", "rank"), [(8, 0), (9, 1), (18, 1), (19, 2), (99, 10)])
def test_the_thresholds_rank_counts_the_new_image(m: int, rank: int) -> None:
    assert compute_threshold_rank(m) == rank


def test_what_sets_do_is_counted() -> None:
    facts = compute_set_scores(draw_probs(80, seed=2), *draw_probs(300, seed=3), seed=0)
    assert sum(facts["set_sizes"]) == 300
    assert len(facts["set_sizes"]) == 4
    mean = sum(size * count for size, count in enumerate(facts["set_sizes"], start=1)) / 300
    assert facts["set_size"]["value"] == pytest.approx(mean)
    assert facts["set_single"] == compute_proportion(facts["set_sizes"][0], 300)
    assert facts["set_size"]["low"] < mean < facts["set_size"]["high"]


def test_the_expected_share_is_where_thresholds_of_so_few_images_lead() -> None:
    m, rank = 42, compute_threshold_rank(42)
    # Of uniform scores, the share above the threshold is 1 minus the threshold itself.
    thresholds = np.sort(np.random.default_rng(0).random((20_000, m)), axis=1)[:, rank - 1]
    expected = compute_set_scores(draw_probs(m, seed=2), *draw_probs(10, seed=3), seed=0)["set_expected"]
    assert (expected["low"], expected["high"]) == pytest.approx(
        tuple(np.percentile(1 - thresholds, [2.5, 97.5])), abs=0.005
    )
