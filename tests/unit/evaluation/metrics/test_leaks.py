from __future__ import annotations

import pandas as pd

from scenebook.evaluation.metrics.intervals import compute_proportion
from scenebook.evaluation.metrics.scores import compute_score_without
from scenebook.notebook.prose.evaluation import tell_accuracy_without


def make_seen(rights: list[bool]) -> pd.DataFrame:
    rows = [(f"{number}.jpg", "cat", "cat" if right else "dog") for number, right in enumerate(rights)]
    return pd.DataFrame(rows, columns=["path", "label", "predicted"])


def test_accuracy_without_duplicates_leaves_out_the_images_that_were_seen() -> None:
    predictions = make_seen([True] * 6 + [False] * 4)
    scores = compute_score_without(predictions, ["0.jpg", "1.jpg"])
    assert scores["n_without_duplicates"] == 8
    assert scores["accuracy_without_duplicates"] == compute_proportion(4, 8)
    assert compute_score_without(predictions, []) == {}
    assert compute_score_without(predictions, list(predictions["path"])) == {"n_without_duplicates": 0}


def test_the_sentence_on_duplicates_knows_whether_they_explain_the_accuracy() -> None:
    whole = {"accuracy": compute_proportion(90, 100)}
    near = {**whole, "n_without_duplicates": 98, "accuracy_without_duplicates": compute_proportion(88, 98)}
    far = {**whole, "n_without_duplicates": 40, "accuracy_without_duplicates": compute_proportion(20, 40)}
    assert "do not explain it" in tell_accuracy_without(near)
    better = {**whole, "n_without_duplicates": 90, "accuracy_without_duplicates": compute_proportion(90, 90)}
    assert "the figure to go by" in tell_accuracy_without(far)
    assert "more than on all" in tell_accuracy_without(better)
    assert "nothing is known" in tell_accuracy_without({**whole, "n_without_duplicates": 0})
    few = {**whole, "n_without_duplicates": 12, "accuracy_without_duplicates": compute_proportion(12, 12)}
    assert "This interval holds the first figure" in tell_accuracy_without(few)
