"""The model card: what somebody has to know of a trained network before using it, in the format of Hugging Face.

Its sentences are those of the report, without references to figures and works, which it does not have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from scenebook.core import run_files
from scenebook.core.fields import read_fields
from scenebook.core.run_directory import RunDirectory, run_name_for
from scenebook.core.sentences import as_utf8, escape, fill, without_marks
from scenebook.core.settings import DRAWN_SCENES, Settings, make_settings
from scenebook.core.wording import count_noun, join_names, printable
from scenebook.core.yaml_files import dump_yaml
from scenebook.data.audit.report import count_images
from scenebook.notebook.prose import calibration, data, evaluation
from scenebook.notebook.prose.conclusion import tell_commonest_error
from scenebook.notebook.prose.training import tabulate_recipe

NO_LICENCE = "unknown"  # what Hugging Face calls a licence that nobody has named
_ASIDE = re.compile(r"\s*(?:\(\[@[^\]]+\]\)|\[@(?!fig:|tbl:)[^\]]+\])")
_SHOWN = re.compile(r"\[@(?:fig|tbl):[^\]]+\]")
"""References in parentheses and to works, which go; and those that a sentence needs."""
_MOST_NAMED = 20
_SCORES = {
    "accuracy": ("accuracy", "accuracy"),
    "macro_f1": ("F1, mean over the classes", "f1"),
    "log_loss": ("log loss", ""),
    "ece": ("expected calibration error", ""),
}
"""The scores of the table: what each is called, and its identifier at Hugging Face."""


def write_model_card(run_dir: RunDirectory, settings: Settings, licence: str | None) -> str:
    """Returns the model card of a run of which every stage is done, as Markdown with a head of YAML.

    `licence` is that of the network, as Hugging Face calls it; `None`: nobody has named one.

    Raises:
        MissingArtifactError: The run lacks a file.
    """
    run_dir.require(run_files.FIELDS)
    recipe = make_settings(run_dir.read_json(run_files.RECIPE))
    sections = {
        f"# {escape(run_dir.name)}": _tell_finding(run_dir, "finding", "method"),
        "## What it must not be used for": _list_misuses(run_dir, settings),
        "## Data": _tell_data(run_dir, settings),
        "## Known leaks and wrong labels": _tell_faults(run_dir),
        "## Recipe": _tabulate(tabulate_recipe(run_dir.read_json(run_files.SUMMARY), recipe)),
        "## Scores": _tell_scores(run_dir),
        "## Calibration": _tell_calibration(run_dir),
        "## Size and speed": _tell_size(run_dir),
        "## Licence": _tell_licence(licence),
    }
    body = "\n\n".join(f"{heading}\n\n{text}" for heading, text in sections.items())
    return f"---\n{dump_yaml(_make_head(run_dir, licence))}---\n\n{body}\n"


def _make_head(run_dir: RunDirectory, licence: str | None) -> dict[str, Any]:
    scores, name = run_dir.read_json(run_files.METRICS), run_dir.read_json(run_files.CLASSES)["name"]
    name = printable(as_utf8(name))
    metrics = [
        {
            "type": identifier,
            "value": scores[key]["value"],
            "name": "{0} (95% interval {low:.4f} to {high:.4f})".format(told, **scores[key]),
        }
        for key, (told, identifier) in _SCORES.items()
        if identifier
    ]
    dataset = {"name": name, "type": run_name_for(name), "split": "test"}
    task = {"type": "image-classification", "name": "Image classification"}
    return {
        "license": licence or NO_LICENCE,
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "transfer-learning"],
        "datasets": [run_name_for(name)],
        "metrics": [metric["type"] for metric in metrics],
        "model-index": [{"name": run_dir.name, "results": [{"task": task, "dataset": dataset, "metrics": metrics}]}],
    }


def _tell_finding(run_dir: RunDirectory, *names: str) -> str:
    """Returns sentences that the last notebook wrote for the report; a user may have taken some of them out."""
    fields = read_fields(run_dir)
    assert fields is not None
    return " ".join(_say(fields.sentences[name], fields.values) for name in names if name in fields.sentences)


def _list_misuses(run_dir: RunDirectory, settings: Settings) -> str:
    scores, classes = run_dir.read_json(run_files.METRICS), run_dir.read_json(run_files.CLASSES)["classes"]
    right = scores["accuracy"]
    told = [
        _say(
            "Images of anything but its {k:,} classes, which are {names}: it always gives the most probable of them.",
            {"k": len(classes), "names": join_names(classes[:_MOST_NAMED] + ["others"] * (len(classes) > _MOST_NAMED))},
        ),
        "Photographs of any kind: it was trained and tested on drawn images."
        if settings.dataset == DRAWN_SCENES
        else "Images of another origin or another camera than those it was trained on, without a test on such images: "
        "nothing is known of how often it is right there.",
        _say(
            "Decisions that affect people, or in which an error does harm, without somebody who checks each: of the "
            "{n:,} test images it misclassified {wrong:.1%} ({low:.1%} to {high:.1%}).",
            {"n": scores["n"], "wrong": 1 - right["value"], "low": 1 - right["high"], "high": 1 - right["low"]},
        ),
    ]
    per_class = run_dir.read_json(run_files.PER_CLASS)
    recalls = {name: found["recall"] for name, found in per_class.items() if found["recall"]}
    if recalls:
        weakest = min(recalls, key=lambda name: recalls[name]["value"])
        sentence = "Finding all images of a class: of {name} it recognised {recall:.1%} ({recall.low:.1%} to "
        sentence += "{recall.high:.1%}), the smallest share of any class."
        told.append(_say(sentence, {"name": weakest, "recall": recalls[weakest]}))
    return "\n".join(f"- {sentence}" for sentence in told)


def _tell_data(run_dir: RunDirectory, settings: Settings) -> str:
    classes, splits = run_dir.read_json(run_files.CLASSES), run_dir.read_csv(run_files.SPLITS)
    counts = count_images(splits)
    table = counts.rename_axis("class").reset_index()
    origin = _say(*data.tell_origin(settings.dataset, splits))
    network = _say("The network takes them at {image_size} by {image_size} pixels (`fit: {fit}`).", classes["settings"])
    digest = _say("The SHA-256 of the list of their digests and splits is {digest}.", classes)
    return f"{_say('The data set is called {name}.', classes)} {origin} {network} {digest}\n\n{_tabulate(table)}"


def _tell_faults(run_dir: RunDirectory) -> str:
    audit, labels = run_dir.read_json("data/audit.json"), run_dir.read_json("evaluation/label_issues.json")
    told = [_say(*sentence) for sentence in data.tell_duplicates(audit)]
    scores = run_dir.read_json(run_files.METRICS)
    if seen := len(audit["seen_in_training"]):
        told.append(_say(evaluation.tell_accuracy_without(scores), scores, {"seen": count_noun(seen, "has", "have")}))
    told += [_say(*sentence) for sentence in data.tell_giveaways(audit)]
    wrong = _say(data.tell_label_issues(labels), labels, {"too_small": join_names(labels["left_out"])})
    return f"{' '.join(told)}\n\nA second model was asked which labels look wrong. {wrong}"


def _tell_scores(run_dir: RunDirectory) -> str:
    scores, per_class = run_dir.read_json(run_files.METRICS), run_dir.read_json(run_files.PER_CLASS)
    overall = [(told, *_show(scores[key])) for key, (told, _) in _SCORES.items() if key in scores]
    by_class = [
        (name, *(" ".join(_show(found[kind])) for kind in ("precision", "recall", "f1")))
        for name, found in per_class.items()
    ]
    confusion = escape(tell_commonest_error(run_dir.read_matrix(run_files.CONFUSION_MATRIX)))
    tables = (
        pd.DataFrame(overall, columns=["score", "value", "95% interval"]),
        pd.DataFrame(by_class, columns=["class", "precision", "recall", "F1"]),
    )
    n = _say("On {n:,} test images, which were predicted once, after all training:", scores)
    return "\n\n".join([n, *map(_tabulate, tables), confusion])


def _show(score: Mapping[str, float] | None) -> tuple[str, str]:
    return ("{value:.3f}".format(**score), "({low:.3f} to {high:.3f})".format(**score)) if score else ("none", "")


def _tell_calibration(run_dir: RunDirectory) -> str:
    facts = run_dir.read_json("evaluation/calibration.json")
    told = (calibration.tell_calibration, calibration.tell_temperature, calibration.tell_abstention)
    return "\n\n".join(_say(tell(facts), facts) for tell in told)


def _tell_size(run_dir: RunDirectory) -> str:
    summary = run_dir.read_json(run_files.SUMMARY)
    sentence = "The network has {total_params:,} parameters; its file in Keras' format takes {megabytes:,.1f} MB."
    if summary.get("images_per_second"):
        sentence += " When its run was made, it classified {images_per_second:,.1f} images a second ({device})."
    return _say(sentence, summary, {"megabytes": run_dir.require(run_files.MODEL).stat().st_size / 1e6})


def _tell_licence(licence: str | None) -> str:
    if licence:
        return _say("{licence}, as whoever made it has stated in `report/front-matter.yaml`.", {"licence": licence})
    return (
        "None was named (`license` in `report/front-matter.yaml`). It depends on the licences of the images and of the "
        "pretrained weights: without leave from whoever holds these rights, do not pass the network on."
    )


def _say(sentence: str, *sources: Mapping[str, Any]) -> str:
    text = _ASIDE.sub("", without_marks(fill(sentence, sources).markdown))
    return _SHOWN.sub("the report", text).replace("&nbsp;", " ")


def _tabulate(table: pd.DataFrame) -> str:
    rows: list[list[Any]] = [list(table.columns), *map(list, table.itertuples(index=False))]
    # Brackets and hyphens mean nothing in a cell, and read better without a backslash.
    texts = [[re.sub(r"\\([()-])", r"\1", escape(str(cell))) for cell in row] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in texts]
    return "\n".join([lines[0], f"|{' --- |' * len(table.columns)}", *lines[1:]])
