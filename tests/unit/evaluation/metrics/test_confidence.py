from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from scenebook.core.sentences import fill, without_marks
from scenebook.evaluation.metrics import calibration, intervals
from scenebook.evaluation.metrics.classification import compute_scores
from scenebook.evaluation.metrics.confidence import compute_calibration
from scenebook.evaluation.metrics.intervals import compute_proportion
from scenebook.notebook.prose.calibration import tell_abstention, tell_calibration, tell_sets, tell_temperature
from tests.unit.evaluation.metrics.confident import as_predictions, draw_probs, draw_too_sure


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
