from __future__ import annotations

import pytest

from scenebook.core.errors import SettingsError
from scenebook.network import graph
from scenebook.network.backbones import build_backbone
from tests.models import build_classifier

pytestmark = pytest.mark.usefixtures("clean_keras")


def freeze_all_but_last(base_model: object, count: int) -> None:
    """What notebook 02 does on its page."""
    layers = base_model.layers  # type: ignore[attr-defined]
    for layer in layers[: len(layers) - count]:
        layer.trainable = False


def test_the_papers_model_has_exactly_the_papers_parameters() -> None:
    base_model = build_backbone("ResNet50", image_size=150, weights="random")
    freeze_all_but_last(base_model, 3)
    model = build_classifier(base_model, num_classes=6, head_units=1024)
    summary = graph.summarize(model)
    assert summary["total_params"] == 76_023_686
    assert summary["trainable_params"] == 52_440_070
    assert summary["non_trainable_params"] == 23_583_616
    assert (summary["layers"], summary["backbone_weight_layers"], summary["base_layers"]) == (178, 50, 175)
    assert summary["input_shape"] == [150, 150, 3]


@pytest.mark.parametrize("count", [0, 3, 141])
def test_any_number_of_base_layers_can_be_trained(count: int) -> None:
    base_model = build_backbone("efficientnet-lite0", image_size=32, weights="random")
    freeze_all_but_last(base_model, count)
    model = build_classifier(base_model, num_classes=2, head_units=4)
    head = 1280 * 4 + 4 + 4 * 2 + 2
    trained = {0: head, 3: head + 320 * 1280 + 2 * 1280}.get(count)
    counted = graph.count_parameters(model)
    assert trained is None or counted["trainable_params"] == trained
    assert (counted["trainable_params"] > counted["total_params"] * 0.9) == (count == 141)


def test_more_layers_than_there_are_is_an_error() -> None:
    base_model = build_backbone("efficientnet-lite0", image_size=32, weights="random")
    with pytest.raises(SettingsError, match=r"at most 141, .*Received: trainable_base_layers=500"):
        graph.check_trainable_base_layers(base_model, 500)
