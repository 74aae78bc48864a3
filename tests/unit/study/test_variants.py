from __future__ import annotations

import pytest

from scenebook.network.backbones import build_backbone
from scenebook.study.variants import count_last_layers
from tests.models import build_classifier

pytestmark = pytest.mark.usefixtures("clean_keras")


def test_the_last_block_begins_where_a_residual_path_parts_and_the_last_stage_where_the_resolution_falls() -> None:
    base_model = build_backbone("efficientnet-lite0", image_size=96, weights="random")
    model = build_classifier(base_model, num_classes=3, head_units=4)
    counts = [count_last_layers(model, what) for what in ("last block", "last stage")]
    firsts = [base_model.layers[len(base_model.layers) - count].name for count in counts]
    assert firsts == ["block6d_expand_conv", "block6a_dwconv"]
