"""Baselines: what they learn from, what they say, how they are compared, and the sentences on both outcomes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from scenebook.core.errors import MissingArtifactError, ScenebookError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.run_files import RANDOM_FEATURES, RENORMALISED_FEATURES
from scenebook.core.sentences import fill, without_marks
from scenebook.data.splitting import SplitImages
from scenebook.evaluation.baselines import (
    COMPARISONS,
    NAMES,
    Baselines,
    Points,
    fit_linear,
    load_inputs,
    predict_baselines,
    score_baselines,
    shrink,
    tabulate_scores,
    tabulate_tests,
)
from scenebook.network.features import FEW, draw_few, save_features
from scenebook.notebook.prose.baselines import collect_baseline_points, tell_comparison, tell_strengths

CLASS_NAMES = ["<b>", "NA", "🌊 sea"]


def make_splits(train: int = 20, validation: int = 3, test: int = 10, names: list[str] = CLASS_NAMES) -> pd.DataFrame:
    rows = [
        (f"{split}/{name}/{number}.png", name, split)
        for split, count in (("train", train), ("validation", validation), ("test", test))
        for name in names
        for number in range(count)
    ]
    table = pd.DataFrame(rows, columns=["path", "label", "split"])
    return table.assign(row=np.random.default_rng(0).permutation(len(table)))


def make_points(splits: pd.DataFrame, distance: float, d: int = 5, seed: int = 0) -> np.ndarray:
    """Float32 points that tell the classes apart, the more the larger the distance."""
    names = sorted(set(splits["label"]))
    noise = np.random.default_rng(seed).normal(size=(len(splits), d))
    noise[:, 0] += distance * splits["label"].map(names.index).to_numpy()
    return noise.astype(np.float32)


def know_all(vectors: np.ndarray) -> Points:
    return Points(np.ones(len(vectors), dtype=bool), vectors)


def save_run(run_dir: RunDirectory, splits: pd.DataFrame, weights: str = "imagenet", every: int = 1) -> None:
    """Writes what notebooks 01 and 02 leave: class by colour, telling features, and random ones that tell nothing.

    There are random features of `every` so many images.
    """
    images = np.zeros((len(splits), 32, 32, 3), dtype=np.uint8)
    colours = {name: 60 * (index + 1) for index, name in enumerate(CLASS_NAMES)}
    images[splits["row"]] = splits["label"].map(colours).to_numpy()[:, None, None, None]
    run_dir.path("data").mkdir(parents=True)
    np.save(run_dir.path("data/images.npy"), images)
    run_dir.write_json("training/summary.json", {"weights": weights})
    rows = {split: splits["row"][splits["split"] == split].to_numpy() for split in ("train", "validation", "test")}
    for distance, file in ((8.0, "training/features.npz"), (0.0, RANDOM_FEATURES), (1.0, RENORMALISED_FEATURES)):
        points = make_points(splits, distance)
        step = 1 if file == "training/features.npz" else every
        vectors = {split: points[(splits["split"] == split).to_numpy()][::step] for split in rows}
        save_features(run_dir, vectors, {split: some[::step] for split, some in rows.items()}, file)


def make_results(said: dict[str, list[str]], labels: list[str], names: list[str] = CLASS_NAMES) -> dict[str, Any]:
    """Results of classifiers that say what is given; `network` is one of them."""
    paths = [f"{number}.png" for number in range(len(labels))]
    simple = {name: column for name, column in said.items() if name != "network"}
    table = pd.DataFrame({"path": paths, "label": labels, **simple})
    network = pd.DataFrame({"path": paths, "predicted": said["network"]})
    return score_baselines(Baselines(table, {"pixels": 0.1}), network)


def make_said(right: int, n: int = 100) -> list[str]:
    return ["a"] * right + ["b"] * (n - right)


def tell(results: dict[str, Any]) -> str:
    text = tell_comparison(results)
    filled = without_marks(fill(text, [results, collect_baseline_points(results)]).markdown)
    assert "nan" not in filled
    return filled.replace("\\", "").replace("&nbsp;", " ").replace("**", "")


def test_a_run_is_learned_from_and_stored_tables_come_back(run_dir: RunDirectory) -> None:
    splits = make_splits()
    save_run(run_dir, splits)
    found = predict_baselines(splits, load_inputs(run_dir, splits), CLASS_NAMES)
    assert list(found.predictions)[2:4] == ["majority", "pixels"]
    assert found.random_kind == "random_renormalised"
    assert found.predictions["random_features"].equals(found.predictions["random_renormalised"])
    network = found.predictions[["path"]].assign(predicted=found.predictions["label"]).iloc[::-1]
    results = score_baselines(found, network)
    assert results["majority"]["value"] == pytest.approx(1 / 3)
    assert results["pixels"]["value"] == results["pretrained_features"]["value"] == results["network"]["value"] == 1
    assert results["random_untouched"]["value"] < results["random_features"]["value"] < 0.9
    assert results["transfer"]["low"] > 0
    run_dir.write_csv("evaluation/baseline_predictions.csv", found.predictions)
    pd.testing.assert_frame_equal(
        run_dir.read_csv("evaluation/baseline_predictions.csv"), found.predictions, check_dtype=False
    )
    run_dir.write_json("evaluation/baselines.json", results)
    sentence, values = tell_strengths(run_dir.read_json("evaluation/baselines.json"))
    assert "random features (batch normalisation estimated) were chosen" in fill(sentence, [values]).markdown


def test_with_random_features_of_some_images_pretrained_ones_of_the_same_are_compared(run_dir: RunDirectory) -> None:
    splits = make_splits()
    save_run(run_dir, splits, every=2)
    inputs = load_inputs(run_dir, splits)
    found = predict_baselines(splits, inputs, CLASS_NAMES)
    network = found.predictions[["path"]].assign(predicted=found.predictions["label"])
    results = score_baselines(found, network)
    assert (results["few_train"], results["few_test"], results["n"]) == (30, 15, 30)
    asked = (found.predictions["random_features"] != "").to_numpy()
    assert asked.sum() == 15
    few = inputs["random_untouched"].known
    np.testing.assert_array_equal(inputs["pretrained_few"].vectors, inputs["pretrained_features"].vectors[few])
    right = (found.predictions["pretrained_few"] == found.predictions["label"]).to_numpy()[asked]
    assert results["pretrained_few"]["value"] == right.mean()
    assert results["transfer"]["value"] == pytest.approx(
        results["pretrained_few"]["value"] - results["random_features"]["value"]
    )
    told = tell(results)
    assert "30 training images and 15 test images" in told
    assert "(30 training images, 15 test images)" in "".join(tabulate_scores(results)["classifier"])
    run_dir.write_csv("evaluation/baseline_predictions.csv", found.predictions)
    stored = run_dir.read_csv("evaluation/baseline_predictions.csv")
    pd.testing.assert_frame_equal(stored, found.predictions, check_dtype=False)


def test_of_many_images_some_are_drawn_by_the_seed_and_few_are_all_taken() -> None:
    stored, rows = np.zeros((2000, 1, 1, 3), np.uint8), np.arange(1000)
    images = SplitImages(stored, rows, rows % 3, [f"{row}.png" for row in rows], [f"{row:064x}" for row in rows])
    few = draw_few({"train": images, "validation": images.take(np.arange(7))}, seed=1)
    assert {split: len(part) for split, part in few.items()} == {"train": FEW["train"], "validation": 7}
    assert (np.diff(few["train"].rows) > 0).all()
    assert few["train"].paths == [f"{row}.png" for row in few["train"].rows]
    assert list(few["train"].labels) == [row % 3 for row in few["train"].rows]
    others = draw_few({"train": images}, seed=2)["train"].rows
    assert set(others) != set(few["train"].rows)


def test_random_weights_leave_nothing_to_compare_whatever_an_earlier_run_left(run_dir: RunDirectory) -> None:
    splits = make_splits()
    save_run(run_dir, splits, weights="random")
    inputs = load_inputs(run_dir, splits)
    assert list(inputs) == ["pixels", "random_features"]
    np.testing.assert_array_equal(inputs["random_features"].vectors, make_points(splits, 8.0))
    found = predict_baselines(splits, inputs, CLASS_NAMES)
    results = score_baselines(found, found.predictions.assign(predicted=found.predictions["label"]))
    assert not {"pretrained_features", "transfer", "network_gain", "features_gain"} & set(results)
    assert "nothing is transferred" in tell(results)
    assert len(tabulate_tests(results)) == 1


def test_missing_random_features_name_the_notebook_that_writes_them(run_dir: RunDirectory) -> None:
    splits = make_splits()
    save_run(run_dir, splits)
    run_dir.path(RANDOM_FEATURES).unlink()
    with pytest.raises(MissingArtifactError, match="02-training"):
        load_inputs(run_dir, splits)


def test_small_images_hold_the_mean_of_what_each_pixel_covers() -> None:
    stored = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 3), dtype=np.uint8)
    small = shrink(stored, np.array([2, 0]))
    expected = stored[[2, 0]].astype(float).reshape(2, 12, 2, 12, 2, 3).mean(axis=(2, 4)).reshape(2, -1)
    assert small.dtype == np.float32
    np.testing.assert_allclose(small, expected, atol=1)


def test_the_linear_head_is_scikit_learns_and_validation_chooses_its_strength() -> None:
    splits = make_splits(train=30, validation=10)
    points, labels = make_points(splits, 1.0, d=40), splits["label"].map(CLASS_NAMES.index).to_numpy()
    train, validation = ((splits["split"] == split).to_numpy() for split in ("train", "validation"))
    model = fit_linear(points[train], labels[train], points[validation], labels[validation])
    scaler = StandardScaler().fit(points[train])
    losses = {}
    for strength in (1e-4, 1e-3, 1e-2, 1e-1, 1.0):
        other = LogisticRegression(C=strength, max_iter=200, tol=1e-3).fit(
            scaler.transform(points[train]), labels[train]
        )
        probs = other.predict_proba(scaler.transform(points[validation]))
        losses[strength] = -np.log(probs[np.arange(len(probs)), labels[validation]]).mean()
    assert min(losses, key=lambda strength: losses[strength]) == model[-1].C
    assert model[-1].C < 1


@pytest.mark.parametrize(
    ("names", "counts"),
    [(["a", "b"], (2, 1, 1)), ([f"class {number}" for number in range(60)], (3, 1, 1)), (CLASS_NAMES, (1, 1, 1))],
    ids=["two classes, one test image each", "sixty classes", "one training image a class"],
)
def test_tiny_and_many_classes_work(names: list[str], counts: tuple[int, int, int]) -> None:
    splits = make_splits(*counts, names=names)
    inputs = {
        name: know_all(make_points(splits, 3.0))
        for name in ("pixels", "random_untouched", "random_renormalised", "pretrained_features")
    }
    found = predict_baselines(splits, inputs, names)
    network = found.predictions[["path"]].assign(predicted=names[0])
    results = score_baselines(found, network)
    assert results["majority"]["value"] == results["network"]["value"] == 1 / len(names)
    assert tell(results)
    assert set(found.strengths) == set(inputs)


def test_features_that_tell_nothing_still_give_an_answer() -> None:
    splits = make_splits()
    found = predict_baselines(splits, {"pixels": know_all(np.zeros((len(splits), 4), np.float32))}, CLASS_NAMES)
    assert found.predictions["pixels"].nunique() == 1


def test_a_class_without_training_images_is_never_named() -> None:
    splits = make_splits()
    splits = splits[(splits["label"] != "NA") | (splits["split"] != "train")].reset_index(drop=True)
    found = predict_baselines(splits, {"pixels": know_all(make_points(splits, 3.0))}, CLASS_NAMES)
    assert "NA" not in set(found.predictions["pixels"])


def test_the_same_images_give_the_same_answers() -> None:
    splits = make_splits()
    points = make_points(splits, 1.0)
    first, again = (predict_baselines(splits, {"pixels": know_all(points)}, CLASS_NAMES) for _ in range(2))
    pd.testing.assert_frame_equal(first.predictions, again.predictions)


@pytest.mark.parametrize("paths", [["0.png"], ["0.png", "2.png"]])
def test_predictions_of_other_images_are_an_error(paths: list[str]) -> None:
    table = pd.DataFrame({"path": ["0.png", "1.png"], "label": ["a", "b"], "majority": ["a", "a"]})
    network = pd.DataFrame({"path": paths, "predicted": ["a"] * len(paths)})
    with pytest.raises(ScenebookError, match=r"images=2, predictions=.*Run notebook 02 again"):
        score_baselines(Baselines(table, {}), network)


@pytest.mark.parametrize(
    ("pretrained", "without", "network", "pixels", "told"),
    [
        (
            90,
            50,
            90,
            40,
            [
                "transfer learning adds +40.0 percentage points",
                "0.001",
                "it is not shown that training the network helps",
            ],
        ),
        (50, 90, 50, 40, ["a difference of −40.0", "the pretrained weights do worse"]),
        (
            90,
            88,
            99,
            40,
            ["these 100 images do not show that transfer learning adds", "training the network is worthwhile"],
        ),
        (90, 50, 60, 70, ["the linear classifier alone is better", "more than with random features"]),
        (70, 50, 70, 69, ["it is not shown that pretrained features hold more than colours"]),
        (50, 40, 50, 90, ["pretrained features hold less than colours"]),
        (90, 50, 90, 50, ["the network uses more than colours"]),
        (100, 100, 100, 100, ["these 100 images do not show"]),
        (0, 0, 0, 0, ["these 100 images do not show"]),
    ],
)
def test_sentences_follow_the_numbers(
    pretrained: int, without: int, network: int, pixels: int, told: list[str]
) -> None:
    said = {
        "majority": make_said(30),
        "pixels": make_said(pixels),
        "random_features": make_said(without),
        "pretrained_features": make_said(pretrained),
        "network": make_said(network),
    }
    text = tell(make_results(said, ["a"] * 100))
    for part in told:
        assert part.lower() in text.lower(), text


def test_values_in_sentences_know_their_file() -> None:
    said = {name: make_said(50) for name in NAMES}
    results = make_results(said, ["a"] * 100)
    assert (
        collect_baseline_points(results).source_of("transfer_points.low")
        == "evaluation/baselines.json: transfer, times 100"
    )
    sentence, values = tell_strengths(results)
    assert fill(sentence, [values]).used[0].source == "evaluation/baselines.json: strengths.pixels"


def test_the_tables_hold_each_classifier_and_each_comparison() -> None:
    names = [name for name in NAMES if name != "pretrained_few"]
    results = make_results({name: make_said(50 + index) for index, name in enumerate(names)}, ["a"] * 100)
    scores = tabulate_scores(results)
    assert scores["accuracy"].tolist() == pytest.approx([0.50, 0.51, 0.52, 0.53, 0.54])
    tests = tabulate_tests(results)
    assert len(tests) == len(COMPARISONS)
    assert tests["difference"].tolist() == ["+0.010", "+0.010", "+0.020", "+0.030"]
