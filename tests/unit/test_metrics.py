from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from scenebook import metrics
from scenebook.artifacts import project_root
from scenebook.claims import load_claims
from scenebook.errors import ScenebookError

PAPER = np.array(load_claims(project_root() / "report" / "claims.yaml").paper.confusion_matrix)
NAMES = ["Buildings", "Forest", "Glacier", "Mountain", "Sea", "Street"]


def predictions_of(matrix: np.ndarray, names: list[str]) -> pd.DataFrame:
    """Predictions with exactly this confusion matrix, each with probability 0.9 for the predicted class."""
    rows = []
    for true, counts in enumerate(matrix):
        for predicted, count in enumerate(counts):
            probs = np.full(len(names), 0.1 / (len(names) - 1))
            probs[predicted] = 0.9
            rows += [[names[true], names[predicted], 0.9, *probs]] * int(count)
    return pd.DataFrame(rows, columns=["label", "predicted", "confidence", *(f"p_{name}" for name in names)])


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (1, 1), (6440, 7301), (510, 600), (3, 7)])
def test_wilson_equals_scipy(successes: int, n: int) -> None:
    expected = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert metrics.wilson_interval(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_equals_a_hand_worked_case() -> None:
    # p = 0.5, n = 10, z = 1.96: centre 0.5, half width 1.96 / 1.38416 * sqrt(0.025 + 0.009604) = 0.2634
    assert metrics.wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_the_report_of_the_papers_matrix_is_the_papers_table() -> None:
    report = metrics.compute_report(predictions_of(PAPER, NAMES), NAMES).set_index("class")
    printed = {
        "Buildings": (0.92, 0.88, 0.90, 1144),
        "Forest": (0.97, 0.98, 0.98, 1166),
        "Glacier": (0.89, 0.77, 0.82, 1330),
        "Mountain": (0.78, 0.88, 0.82, 1297),
        "Sea": (0.87, 0.88, 0.88, 1128),
        "Street": (0.89, 0.92, 0.91, 1236),
    }
    for name, (precision, recall, f1, support) in printed.items():
        row = report.loc[name]
        assert (row["precision"], row["recall"], row["f1"]) == pytest.approx((precision, recall, f1), abs=0.0051), name
        assert row["support"] == support
    assert report.loc["accuracy", "f1"] == pytest.approx(6440 / 7301)
    assert report.loc["accuracy", "support"] == 7301


def test_scores_hold_their_value_between_their_bounds() -> None:
    scores = metrics.compute_scores(predictions_of(PAPER // 20, NAMES), NAMES, seed=0)
    assert set(scores) == {"accuracy", "macro_f1", "weighted_f1", "log_loss"}
    for name, score in scores.items():
        assert score["low"] < score["value"] < score["high"], name


def test_the_bootstrap_of_f1_agrees_with_resampling_pictures() -> None:
    from sklearn.metrics import f1_score

    predictions = predictions_of(PAPER // 40, NAMES)
    rng = np.random.default_rng(1)
    labels, predicted = predictions["label"].to_numpy(), predictions["predicted"].to_numpy()
    draws = []
    for _ in range(400):
        rows = rng.integers(0, len(labels), len(labels))
        draws.append(f1_score(labels[rows], predicted[rows], labels=NAMES, average="macro", zero_division=0))
    score = metrics.bootstrap_f1(PAPER // 40, seed=0)
    assert (score["macro_f1"]["low"], score["macro_f1"]["high"]) == pytest.approx(
        tuple(np.percentile(draws, [2.5, 97.5])), abs=0.02
    )


def test_the_same_seed_gives_the_same_interval() -> None:
    first, again, other = (metrics.bootstrap_mean(np.arange(50.0), seed=seed) for seed in (3, 3, 4))
    assert first == again != other


def test_a_class_never_predicted_or_without_test_pictures_divides_by_nothing() -> None:
    matrix = np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]])
    names = ["a", "b", "c"]
    predictions = predictions_of(matrix, names)
    report = metrics.compute_report(predictions, names).set_index("class")
    assert list(report.loc["c", ["precision", "recall", "f1", "support"]]) == [0, 0, 0, 0]
    scores = metrics.compute_class_scores(metrics.compute_confusion(predictions, names))
    assert scores["c"]["precision"] is None
    assert scores["c"]["recall"] is None
    assert scores["c"]["f1"] is None


def test_the_interval_of_f1_agrees_with_a_bootstrap_and_is_never_empty() -> None:
    rng = np.random.default_rng(0)
    right, wrong, missed, rest = 70, 12, 18, 200
    draws = rng.multinomial(300, np.array([right, wrong, missed, rest]) / 300, size=20_000)
    simulated = 2 * draws[:, 0] / (2 * draws[:, 0] + draws[:, 1] + draws[:, 2])
    score = metrics.f1_score(right, wrong, missed)
    assert score is not None
    assert score["value"] == pytest.approx(2 * 70 / (140 + 30))
    assert (score["low"], score["high"]) == pytest.approx(tuple(np.percentile(simulated, [2.5, 97.5])), abs=0.01)
    perfect = metrics.f1_score(50, 0, 0)
    assert perfect is not None
    assert (perfect["value"], perfect["high"]) == (1.0, 1.0)
    assert 0.9 < perfect["low"] < 1.0


def test_classes_named_like_the_reports_own_rows_keep_their_scores() -> None:
    names = ["accuracy", "macro avg"]
    report = metrics.compute_report(predictions_of(np.array([[8, 2], [1, 9]]), names), names)
    assert report["class"].tolist() == ["accuracy", "macro avg", "accuracy", "macro avg", "weighted avg"]
    assert report["recall"].iloc[:2].tolist() == pytest.approx([0.8, 0.9])


def test_the_largest_confusions_come_first_and_stop_where_errors_do() -> None:
    matrix = metrics.compute_confusion(predictions_of(PAPER, NAMES), NAMES)
    assert metrics.largest_confusions(matrix, most=2) == [("Glacier", "Mountain", 242), ("Buildings", "Street", 113)]
    diagonal = pd.DataFrame(np.eye(2, dtype=int), index=["a", "b"], columns=["a", "b"])
    assert metrics.largest_confusions(diagonal) == []


def test_predictions_that_do_not_fit_the_classes_are_refused() -> None:
    predictions = predictions_of(np.eye(2, dtype=int), ["a", "b"])
    with pytest.raises(ScenebookError, match="a probability column a class"):
        metrics.check_predictions(predictions, ["a", "c"])
    with pytest.raises(ScenebookError, match="probabilities sum to 1"):
        metrics.check_predictions(predictions.assign(p_a=0.9), ["a", "b"])


def make_seen(rights: list[bool]) -> pd.DataFrame:
    rows = [(f"{number}.jpg", "cat", "cat" if right else "dog") for number, right in enumerate(rights)]
    return pd.DataFrame(rows, columns=["path", "label", "predicted"])


def test_accuracy_without_duplicates_leaves_out_the_pictures_that_were_seen() -> None:
    predictions = make_seen([True] * 6 + [False] * 4)
    scores = metrics.score_without(predictions, ["0.jpg", "1.jpg"])
    assert scores["n_without_duplicates"] == 8
    assert scores["accuracy_without_duplicates"] == metrics.proportion_score(4, 8)
    assert metrics.score_without(predictions, []) == {}
    assert metrics.score_without(predictions, list(predictions["path"])) == {"n_without_duplicates": 0}


def test_the_sentence_on_duplicates_knows_whether_they_explain_the_accuracy() -> None:
    whole = {"accuracy": metrics.proportion_score(90, 100)}
    near = {**whole, "n_without_duplicates": 98, "accuracy_without_duplicates": metrics.proportion_score(88, 98)}
    far = {**whole, "n_without_duplicates": 40, "accuracy_without_duplicates": metrics.proportion_score(20, 40)}
    assert "do not explain it" in metrics.describe_without(near)
    better = {**whole, "n_without_duplicates": 90, "accuracy_without_duplicates": metrics.proportion_score(90, 90)}
    assert "the figure to go by" in metrics.describe_without(far)
    assert "more than on all" in metrics.describe_without(better)
    assert "nothing is known" in metrics.describe_without({**whole, "n_without_duplicates": 0})
    few = {**whole, "n_without_duplicates": 12, "accuracy_without_duplicates": metrics.proportion_score(12, 12)}
    assert "This interval holds the first figure" in metrics.describe_without(few)
