"""Which modules the key of a training lists: exactly those whose code can change its numbers."""

from __future__ import annotations

from scenebook.core.source_code import TEXT_MODULES, digest_modules
from scenebook.network.code_digests import WITHOUT_EFFECT, digest_training_code

TRAINING = """
core.backbones
data.decoding
data.storing
network.augmentation
network.backbones
network.devices
network.efficientnet_lite
network.feature_cache.cache
network.feature_cache.shard
network.feature_cache.space
network.feature_stream
network.frozen.cutting
network.frozen.openvino_runtime
network.frozen.running
network.graph
network.inputs
network.linear_head
network.pretrained
network.recipe.caching
network.recipe.checkpoints
network.recipe.data
network.recipe.keeping
network.recipe.phases
network.recipe.predicting
network.recipe.running
network.recipe.tracing
network.torch_files
network.training
network.weight_files
"""


def test_the_key_of_a_training_lists_what_can_change_its_numbers() -> None:
    """A module that is new here throws away trainings with each change of its code. If it cannot change a number, it
    belongs to `WITHOUT_EFFECT`, with the reason."""
    listed = [name.removeprefix("scenebook.") for name in digest_training_code("efficientnet-lite0")]
    print("The key of a training lists:", *listed, sep="\n  ")
    assert listed == TRAINING.split()


def test_the_key_of_a_training_lists_the_module_of_its_own_backbone_alone() -> None:
    keras, lite = (set(digest_training_code(backbone)) for backbone in ("ResNet50", "efficientnet-lite0"))
    assert keras - lite == {"scenebook.network.keras_models"}
    assert lite - keras == {"scenebook.network.efficientnet_lite", "scenebook.network.torch_files"}


def test_what_is_left_out_is_there_and_is_imported() -> None:
    """Else a module that was renamed would stay listed, and its successor would be in the keys."""
    imported = digest_modules(
        ["import scenebook.network.recipe.running, scenebook.network.keras_models, scenebook.data.storing"]
    )
    assert not {*WITHOUT_EFFECT, *TEXT_MODULES} - set(imported)
