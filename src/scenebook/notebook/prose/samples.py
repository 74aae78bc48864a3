"""The sentences on sample images, on cases, and on the maps of where the network finds its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scenebook.core.run_files import ERROR_MAPS, SAMPLES, TEST_PREDICTIONS
from scenebook.core.sentences import Sentence, Sourced
from scenebook.core.wording import format_share, say_number, say_share
from scenebook.evaluation.attribution.checks import FEWEST_CHECKED, compute_spread, enlarge
from scenebook.evaluation.samples import KINDS

_NINTHS = (
    ("upper left", "upper middle", "upper right"),
    ("middle left", "middle", "middle right"),
    ("lower left", "lower middle", "lower right"),
)
MAP_TITLES = {"hirescam": "HiResCAM", "grad_cam": "Grad-CAM"}  # what the kinds of maps are called
_ALIKE = 0.5  # maps whose ranks correlate as much as this are much the same
_SAME = 0.999
_CERTAIN = 0.9  # a correct prediction with at least this probability counts as confident, however it ranks


def name_place(heatmap: np.ndarray) -> str:
    """Returns which ninth of an image holds most of a map, as 'lower left' or 'middle'; 'nowhere' of an empty one."""
    if not np.any(heatmap > 0):
        return "nowhere"
    ninths = enlarge(heatmap, (90, 90)).reshape(3, 30, 3, 30).sum(axis=(1, 3))
    row, column = np.unravel_index(int(ninths.argmax()), ninths.shape)
    return _NINTHS[row][column]


def tell_maps(maps: np.ndarray, explained: pd.DataFrame) -> tuple[str, dict[str, Any]]:
    """Returns the sentences on maps, float32 `(m, h, w)`, a map a row of `list_explained`, and their values."""
    spread = compute_spread(maps)
    empty = len(maps) - len(spread)
    values: dict[str, Any] = {"rows": maps.shape[1], "columns": maps.shape[2], "empty": empty}
    text = "The maps have {rows} × {columns} places."
    if len(spread):
        values["spread"] = float(np.median(spread))
        text += " Half of the evidence typically lies in {spread:.0%} of the places (median over the maps)."
    if empty:
        values["be"] = "is" if empty == 1 else "are"
        text += " Of the maps, {empty} {be} empty: no place is evidence for the class."
    places = [name_place(heatmap) for heatmap in maps]
    wrong = [list(rows.index) for _, rows in explained.groupby("image") if len(rows) > 1]
    if len(wrong) == 1:
        names = [f"{places[row]} for {explained['class'][row]}" for row in wrong[0]]
        values["names"] = " and ".join(names)
        text += " In the misclassified image, the evidence is strongest in the {names}."
    elif wrong:
        same = sum(len({places[row] for row in rows}) == 1 for rows in wrong)
        values |= {"wrong": len(wrong), "same": say_number(same)}
        which = "{same} of the {wrong} misclassified images"
        if same == len(wrong):
            which = "both misclassified images" if same == 2 else "all {wrong} misclassified images"
        text += f" In {which}, the evidence for both classes is strongest in the same ninth of the image."
    return text, values


def tell_map_places(explained: pd.DataFrame, maps: np.ndarray, what: str = "the evidence") -> str:
    """Returns where each map, float32 `(m, h, w)`, a map a row of `list_explained`, has most of `what` it shows."""
    parts = (f"{caption}: {name_place(heatmap)}" for caption, heatmap in zip(explained["caption"], maps, strict=True))
    return f"Where {what} is strongest, {'; '.join(parts)}."


def tell_choice(explained: pd.DataFrame, n: int) -> str:
    """Returns which of `n` images have maps, and which classes are explained, as sentences."""
    shown = explained["image"].nunique()
    first = f"The first {shown} of {n} images. " if shown < n else ""
    if explained["image"].duplicated().any():
        return f"{first}Where the network is wrong, the true class comes first, then the predicted one."
    return f"{first}Each map is for the predicted class, which is the true one."


def tell_map_choice(checks: Mapping[str, Any]) -> str:
    """Returns the sentences beside the maps: of which kind they are, and whether they passed the check."""
    chosen = checks["chosen"]
    title, (other,) = MAP_TITLES[chosen], MAP_TITLES.keys() - {chosen}
    if checks["n"] < FEWEST_CHECKED:
        return (
            f"The maps are those of {title}; too few test images could be checked to say whether they can be trusted."
        )
    lowers = (
        "blurring the quarter of an image in which the map is strongest, instead of the one in which it is weakest, "
        f"lowers the probability of the predicted class by {{{chosen}_loss:z.3f}} on average"
    )
    where = "({n} test images, [@tbl:map-checks])."
    if (checks[f"{other}_agreement"] or 0) > _SAME:
        told = [f"Both methods give the same maps of this network: {lowers} {where}"]
    else:
        against = f"against {{{other}_loss:z.3f}} with {MAP_TITLES[other]}"
        told = [f"The maps shown are those of {title}: {lowers}, {against} {where}"]
    if checks["gain"]["low"] > 0:
        told.append("Maps of other images do worse, so these point at what the network uses.")
    else:
        told.append(
            "Maps of other images do as well, so **it is not shown that these point at what the network uses**."
        )
    return " ".join(told)


def tell_map_checks(checks: Mapping[str, Any]) -> str:
    """Returns the sentences on the checks of maps, for `say` with `checks`."""
    if checks["n"] < FEWEST_CHECKED:
        images = "image was" if checks["n"] == 1 else "images were"
        return f"Only {{n}} test {images} checked, too few to conclude anything from [@tbl:map-checks]."
    if checks["gain"]["low"] > 0:
        verdict = "is above zero: the maps point at what this network uses."
    elif checks["gain"]["high"] < 0:
        verdict = "is below zero: maps of other images do better, and these should not be trusted."
    else:
        verdict = "cannot be told from zero: it is not shown that the maps point at what this network uses."
    return (
        f"On {{n}} test images, blurring the quarter in which {MAP_TITLES[checks['chosen']]} is strongest lowers the "
        f"probability of the predicted class by {{{checks['chosen']}_loss:z.3f}} more than blurring the quarter in "
        "which it is weakest; with the maps of other images, by {other_loss:z.3f}. The difference between the two, "
        f"{{gain:z.3f}} (95% interval {{gain.low:z.3f}} to {{gain.high:z.3f}}), {verdict} "
        f"{_tell_random(checks['random_agreement'])}"
    )


def _tell_random(agreement: float | None) -> str:
    if agreement is None:
        return "With random weights no map varies, so there is nothing to compare."
    if agreement < _ALIKE:
        return (
            "With random weights the maps change (rank correlation {random_agreement:z.2f}): they depend on what was "
            "learned, not only on the outlines of the image."
        )
    return (
        "With random weights the maps stay much the same (rank correlation {random_agreement:z.2f}): they depend on "
        "the outlines of the image more than on what was learned."
    )


def tell_error_maps(predicted: np.ndarray, true: np.ndarray) -> Sentence:
    """Returns the sentences that read the maps of wrong predictions, each float32 `(n, h, w)`, and their values."""
    places = [(name_place(one), name_place(other)) for one, other in zip(predicted, true, strict=True)]
    both = [(one, other) for one, other in places if "nowhere" not in (one, other)]
    same = sum(one == other for one, other in both)
    values = {"n": len(places), "both": len(both), "same": same}
    return _tell_same_places(**values), Sourced(values, origins=dict.fromkeys(values, ERROR_MAPS))


def _tell_same_places(n: int, both: int, same: int) -> str:
    if not both:
        return "In no image of [@fig:error-maps] is there evidence for both classes."
    begins = "Where [@fig:error-maps] shows evidence for both classes,"
    if both < n:
        begins = "Evidence for both classes is found in {both} of the {n} images of [@fig:error-maps]:"
    place = f"{begins} it is strongest in the same ninth of the image"
    if same == both:
        return f"{place}."
    if not same:
        return f"{begins} it is strongest in one place for the predicted class and in another for the true one."
    return f"{place} in {{same}} of {{both}} images."


def tell_cases(cases: pd.DataFrame, n: int) -> Sentence:
    """Returns the sentences that read the table of `select_cases`, of `n` test images in all, and their values."""
    parts = {name: cases[cases["row"] == kind] for name, kind in zip(("sure", "unsure", "wrong"), KINDS, strict=True)}
    sure, unsure, wrong = parts.values()
    values: dict[str, Any] = {"n": n, "errors": len(wrong)}
    for name, part in parts.items():
        if len(part):
            values[f"{name}_low"] = say_share(part["confidence"].min())
            values[f"{name}_high"] = say_share(part["confidence"].max())
    if len(wrong):
        worst = wrong.iloc[0]
        values |= {"label": worst["label"], "predicted": worst["predicted"]}
        values |= {"share": say_share(worst["confidence"]), "own": say_share(worst[f"p_{worst['label']}"])}
    sentence = f"{_tell_right(len(sure), unsure, values)} {_tell_wrong(values)}"
    origins = dict.fromkeys(values, SAMPLES) | {"n": TEST_PREDICTIONS}
    return sentence, Sourced(values, origins=origins)


def _tell_right(sure: int, unsure: pd.DataFrame, values: Mapping[str, Any]) -> str:
    if not sure:
        return "No test image is classified correctly."
    if not len(unsure):
        if values["n"] == 1:
            return "The one test image is classified correctly, with a probability of {sure_high}."
        return "Of {n:,} test images, one is classified correctly, with a probability of {sure_high}."
    if unsure["confidence"].min() >= _CERTAIN:
        return (
            "The network is confident whenever it is right: even its least confident correct prediction has a "
            "probability of {unsure_low}."
        )
    surely, barely = _range("sure", values), _range("unsure", values)
    return f"The most confident correct predictions have probabilities of {surely}, the least confident ones {barely}."


def _tell_wrong(values: Mapping[str, Any]) -> str:
    if not values["errors"]:
        return "No test image is misclassified, so there is no third row."
    if values["errors"] == 1:
        return (
            "The one error is an image of {label}, classified as {predicted} with a probability of {share}; its true "
            "class is given {own}."
        )
    return (
        f"The {{errors}} errors with the largest loss have probabilities of {_range('wrong', values)}. The worst is an "
        "image of {label}, classified as {predicted} with {share}; its true class is given {own}."
    )


def _range(name: str, values: Mapping[str, Any]) -> str:
    low, high = values[f"{name}_low"], values[f"{name}_high"]
    if low == high:
        return f"{{{name}_low}}"
    if low.startswith("more"):
        return f"{{{name}_low}}"
    if high.startswith("more"):
        return f"at least {{{name}_low}}"
    return f"at most {{{name}_high}}" if low.startswith("less") else f"{{{name}_low}} to {{{name}_high}}"


def mark_prediction(row: dict[str, Any]) -> str:
    """Returns the caption of a sample that has bars: its class, and whether that is what was predicted."""
    return f"{row['label']} {'✓' if row['label'] == row['predicted'] else '✗'}"


def tell_prediction(row: dict[str, Any]) -> str:
    """Returns what a sample shows: its class, and what was predicted with which probability."""
    return f"true {row['label']}, predicted {row['predicted']} ({format_share(row['confidence'])})"


def tell_selection(right: int, n: int, shown: int) -> str:
    """Returns the sentence on how many of `n` samples, of which a figure shows some, are classified correctly."""
    if n == 1:
        return f"The one image in [@fig:samples] is {'' if right else 'not '}classified correctly."
    images = "images in [@fig:samples]" if shown == n else "images, of which [@fig:samples] shows the first {shown},"
    if right == n:
        return f"{'Both' if n == 2 else 'All {n:,}'} {images} are classified correctly."
    if right == 0:
        return f"None of the {{n:,}} {images} is classified correctly."
    return f"Of the {{n:,}} {images.rstrip(',')}, {{right:,}} {'is' if right == 1 else 'are'} classified correctly."
