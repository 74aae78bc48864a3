"""The sentences on the scores of the test images: cautions, confusions, the classification report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scenebook.core.run_files import CLASSIFICATION_REPORT, CONFUSION_MATRIX, PER_CLASS, SPLITS
from scenebook.core.sentences import Sentence, Sourced
from scenebook.core.wording import format_share, join_names, join_some, name_file
from scenebook.evaluation.metrics import classification
from scenebook.evaluation.metrics.intervals import SIGNIFICANT, Score, compute_proportion

_ClassScores = Mapping[str, Mapping[str, Score | None]]
"""Of each class, by the kind of score: precision, recall, f1."""
_FEW = 30  # with so many test images, the interval of a class's recall is up to a third wide; with fewer, wider
_MOST_NAMES = 4
_CONSEQUENCES = {
    "test": "Accuracy and the weighted averages count the classes as often as they are among the test images; the "
    "macro averages count all alike.",
    "validation": "The histories count the classes as often as they are among the validation images.",
}
_MANY = 200  # of so many images, tenths of a percent are told apart
_MOST_EXTREMES = 3


def tell_accuracy(scores: Mapping[str, Any]) -> str:
    """Returns the sentences on the scores of all test images, for `say` with `metrics.json` and `resamples`."""
    also = "."
    if "top2_accuracy" in scores:
        also = (
            "; for {top2_accuracy:.1%} ({top2_accuracy.low:.1%} to {top2_accuracy.high:.1%}), the true class is one of "
            "the two most probable."
        )
    return (
        "The accuracy on {n:,} test images is **{accuracy:.1%}** (95% interval {accuracy.low:.1%} to "
        f"{{accuracy.high:.1%}}){also} The macro average of F1 over the classes is {{macro_f1:.3f}} "
        "({macro_f1.low:.3f} to {macro_f1.high:.3f}), and the mean log loss {log_loss:.3f} ({log_loss.low:.3f} to "
        "{log_loss.high:.3f}); the intervals of these two come from a bootstrap [@efron1979] of {resamples:,} "
        "resamples."
    )


def tell_accuracy_without(scores: Mapping[str, Any]) -> str:
    """Returns the sentence on the accuracy without duplicates, for `say` with `metrics.json` and `seen`: "2 have"."""
    sentence = "Of the test images, {seen} a duplicate among the training or validation images. "
    if "accuracy_without_duplicates" not in scores:
        return sentence + "Since all of them have one, nothing is known about the accuracy on new images."
    sentence += (
        "On the {n_without_duplicates:,} others the accuracy is **{accuracy_without_duplicates:.1%}** "
        "({accuracy_without_duplicates.low:.1%} to {accuracy_without_duplicates.high:.1%})"
    )
    rest, whole = scores["accuracy_without_duplicates"], scores["accuracy"]
    without = rest["value"]
    if rest["low"] <= whole["value"] <= rest["high"]:
        return sentence + ". The first figure lies within this interval: the duplicates do not explain it."
    if whole["low"] <= without <= whole["high"]:
        return sentence + ", which is within the interval of the first: the duplicates do not explain it."
    if without > whole["high"]:
        return sentence + ", more than on all of them: the duplicates are recognised less often."
    return sentence + ". This is the figure to rely on: the first one counts memorised images."


def tell_cross_validation(scores: Mapping[str, Any]) -> str:
    """Returns the sentences on the cross-validated accuracy, for `say` with `metrics.json`."""
    text = (
        "The test score is that of one network. In a cross-validation, the recipe was trained {folds} times on the "
        "{n_folds:,} training and validation images, each time without another part of them, with copies and groups "
        "kept together: it is right for {cross_validated_accuracy:.1%} of the images left out, on average (95% "
        "interval {cross_validated_accuracy.low:.1%} to {cross_validated_accuracy.high:.1%}). The interval allows for "
        "the training images that these trainings share [@nadeau2003]. "
    )
    test, crossed = scores["accuracy"], scores["cross_validated_accuracy"]
    if test["low"] <= crossed["value"] <= test["high"] or crossed["low"] <= test["value"] <= crossed["high"]:
        return text + "Within these intervals the two agree."
    if test["value"] < crossed["value"]:
        return text + "The test score is lower than the intervals explain: the test images are harder, or others."
    return text + (
        "The test score is higher than the intervals explain: the test images are easier, or some of them are like "
        "images that were trained on."
    )


def tell_cautions(counts: pd.DataFrame) -> Iterator[Sentence]:
    """Yields sentences for `say`, each with its values; none where there is nothing to be careful about.

    `counts` are the images a class (rows) a split (columns `train`, `validation`, `test`).
    """
    shares = counts / counts.sum()
    for split, consequence in _CONSEQUENCES.items():
        differing = classification.find_unlike_shares(counts, split)
        if differing:
            here, there = (shares[name].to_dict()[differing[0]] for name in (split, "train"))
            values = {"name": differing[0], "here": here, "there": there, "differing": len(differing)}
            others = "; {differing} classes differ by more than a quarter" if len(differing) > 1 else ""
            sentence = (
                f"The {split} images are not divided among the classes as the training images are: {{name}} has "
                f"{{here:.1%}} of the {split} images and {{there:.1%}} of the training images{others}. "
                f"{consequence}"
            )
            origin = f"{SPLITS}: shares of that class in {split} and train"
            yield sentence, Sourced(values, origins=dict.fromkeys(values, origin))
    missing = list(counts.index[counts["test"] == 0])
    if missing:
        sentence = "Without test images: {missing}. How well these are recognised is not known, and the averages "
        yield sentence + "leave them out.", Sourced({"missing": _name_few_classes(missing)})
    few = counts["test"][counts["test"].between(1, _FEW - 1)].sort_values(kind="stable")
    if len(few):
        yield _tell_few(few, is_all=len(few) == len(counts))


def _tell_few(few: pd.Series, *, is_all: bool) -> Sentence:
    values: dict[str, Any] = {"least": int(few.iloc[0]), "most": int(few.iloc[-1]), "limit": _FEW}
    origins = dict.fromkeys(["least", "most"], f"{SPLITS}: rows of a class whose split is test")
    sized = "{least}" if values["least"] == values["most"] else "{least} to {most}"
    images = "image" if values["most"] == 1 else "images"
    which = "Each class has" if is_all else "{few} {have}"
    values["few"], values["have"] = _name_few_classes(list(few.index)), "has" if len(few) == 1 else "have"
    sentence = (
        f"{which} only {sized} test {images}. With fewer than {{limit}} a class, a single image moves its scores by "
        "several points: rely on the intervals, not on the scores."
    )
    return sentence, Sourced(values, origins=origins)


def _name_few_classes(names: list[str]) -> str:
    return join_some(names, _MOST_NAMES, "other class", "other classes")


def tell_confusions(matrix: pd.DataFrame) -> Sentence:
    """Returns the sentences on the most frequent errors, each with the interval of its share, for `say`."""
    counts = matrix.to_numpy()
    total, errors = int(counts.sum()), int(counts.sum() - counts.trace())
    if not errors:
        return "In [@fig:confusion], every image is on the diagonal.", Sourced({})
    listed = classification.list_confusions(matrix, most=counts.size)
    shown, rest = listed[: classification.MOST_KINDS], listed[classification.MOST_KINDS :]
    of_class = dict(zip(matrix.columns, counts.sum(axis=1).tolist(), strict=True))
    values: dict[str, Any] = {"n": total, "errors": errors, "off": "is" if errors == 1 else "are"}
    parts = []
    for i, (true, predicted, count) in enumerate(shown):
        of = of_class[true]
        values |= {f"true_{i}": true, f"predicted_{i}": predicted, f"count_{i}": count, f"of_{i}": of}
        values[f"share_{i}"] = compute_proportion(count, of)
        digits = ".0%" if of < _MANY else ".1%"
        parts.append(
            f"{{true_{i}}} misclassified as {{predicted_{i}}} ({{count_{i}:,}} of {{of_{i}:,}}, "
            f"{{share_{i}:{digits}}}, interval {{share_{i}.low:{digits}}} to {{share_{i}.high:{digits}}})"
        )
    sentence = "Of {n:,} test images, {errors:,} {off} off the diagonal of [@fig:confusion]. "
    sentence += f"{_introduce(listed)} {'; '.join(parts)}."
    tied = sum(count == shown[-1][2] for _, _, count in rest)
    if tied and shown[0][2] > 1:
        values["tied"] = "Another kind of error is" if tied == 1 else f"{tied:,} other kinds of error are"
        sentence += " {tied} as frequent as the last of these."
    sentence += " [@fig:confused] shows examples."
    origins = {name: f"{CONFUSION_MATRIX}: row and column of these classes" for name in values if name[-1].isdigit()}
    origins |= {"n": f"{CONFUSION_MATRIX}: sum", "errors": f"{CONFUSION_MATRIX}: sum off the diagonal"}
    return sentence, Sourced(values, origins=origins)


def _introduce(listed: Sequence[tuple[str, str, int]]) -> str:
    if len(listed) == 1:
        return "All errors are of one kind:"
    if listed[0][2] == 1:
        return (
            f"No two errors are of the same kind{'; some of them' if len(listed) > classification.MOST_KINDS else ''}:"
        )
    return (
        "The most frequent errors are"
        if len(listed) > classification.MOST_KINDS
        else "The errors, most frequent first, are"
    )


def tell_error(row: Mapping[str, Any]) -> str:
    """Returns the caption of an image that was classified as another class. Plain text."""
    told = f"{row['label']} misclassified as {row['predicted']}"
    return f"{name_file(row['path'])}: {told} ({format_share(row['confidence'])})"


def tell_intervals(class_scores: _ClassScores) -> Sentence:
    """Returns the sentence on the widest interval and on what is missing, for `say`."""
    known = [(name, kind, score) for name, of in class_scores.items() for kind, score in of.items() if score]
    widths = [score["high"] - score["low"] for *_, score in known]
    name, kind, widest = known[int(np.argmax(widths))]
    tied = widths.count(max(widths)) > 1
    sentence = (
        "The widest interval of a class in [@tbl:intervals] is {widest.low:.2f} to {widest.high:.2f}, that of the "
        f"{'F1' if kind == 'f1' else kind} of {{name}}{' and of others' if tied else ''}."
    )
    if any(score is None for of in class_scores.values() for score in of.values()):
        sentence += " A cell is empty where no image has the class, or none was assigned to it."
    origins = {"widest": f"{PER_CLASS}: {kind} of that class"}
    return sentence, Sourced({"name": name, "widest": widest}, origins=origins)


def tell_report(report: pd.DataFrame, class_scores: _ClassScores) -> Sentence:
    """Returns the sentences on the best and the worst class, those of equal F1 together, and on classes never
    predicted.
    """
    rows = report.iloc[: len(class_scores)]
    tested = rows[rows["support"] > 0]
    shown = tested["f1"].map(classification.round_down).round(2)
    best, worst = (tested[shown == extreme] for extreme in (shown.max(), shown.min()))
    values = {"best_f1": float(shown.max()), "worst_f1": float(shown.min()), "k": len(tested)}
    never = [name for name in tested["class"] if class_scores[name]["precision"] is None]
    if len(tested) == 1:
        sentence = "Only {best} has test images; its F1 in [@tbl:report] is {best_f1:.2f}."
    elif len(best) == len(tested):
        sentence = "The {k:,} classes in [@tbl:report] have the same F1 ({best_f1:.2f})."
    else:
        are = ["is" if len(classes) == 1 else "are" for classes in (best, worst)]
        sentence = (
            f"By F1 in [@tbl:report], {{best}} {are[0]} recognised best ({{best_f1:.2f}}) and {{worst}} "
            f"{'' if are == ['is', 'is'] else are[1] + ' '}worst ({{worst_f1:.2f}}). "
        )
        high, low = (
            [score for name in classes["class"] if (score := class_scores[name]["f1"])] for classes in (best, worst)
        )
        sentence += (
            "That difference is unlikely to be due to the choice of test images."
            if classification.compute_extremes_p(high, low, len(tested)) < SIGNIFICANT
            else "Chance alone may cause such a difference between the best and the worst of {k:,} classes: other test "
            "images may put them in another order."
        )
    if never:
        sentence += " Never predicted, and therefore without a precision: {never}. The averages count this as 0."
    names = {"best": _name_few(best), "worst": _name_few(worst), "never": _name_few_classes(never)}
    origins = dict.fromkeys(["best_f1", "worst_f1"], f"{CLASSIFICATION_REPORT}, f1 of that class")
    origins["k"] = f"{CLASSIFICATION_REPORT}, support above 0"
    return sentence, Sourced({**values, **names}, origins=origins)


def _name_few(classes: pd.DataFrame) -> str:
    names = list(classes["class"])
    return join_names(names) if len(names) <= _MOST_EXTREMES else f"{len(names):,} classes"
