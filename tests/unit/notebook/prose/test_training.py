from __future__ import annotations

from typing import Any

from scenebook.core.sentences import fill
from scenebook.core.settings import NO_AUGMENTATION, Settings
from scenebook.network.recipe.finishing import Cut
from scenebook.notebook.prose.training import tell_augmentation, tell_cut, tell_optimizer


def make_cut(*, frozen: int = 5, tensors: int = 1, stochastic: int = 0) -> Cut:
    return Cut((frozen, 100), (3, 50), [(2, 2, 8)] * tensors, stochastic, "TensorFlow 2")


def test_the_sentences_on_the_cut_tell_of_layers_that_would_drop_and_of_an_empty_cut() -> None:
    told, values = tell_cut(make_cut(stochastic=1), accelerated=True, kept=True)
    assert "{stochastic}" in told
    assert values["numbers"] == 32
    plain, values = tell_cut(make_cut(tensors=2), accelerated=True, kept=False)
    assert values["numbers"] == 64
    assert "{stochastic}" not in plain
    assert "cache" not in plain
    assert "{numbers" not in tell_cut(make_cut(frozen=0), accelerated=True, kept=True)[0]
    assert "{numbers" not in tell_cut(make_cut(frozen=0), accelerated=False, kept=True)[0]


def test_only_the_operations_that_are_on_are_told_of() -> None:
    flips = tell_augmentation(Settings(**{**NO_AUGMENTATION, "vertical_flip": True, "views": 4}), published=True)
    assert "upside down" in flips
    assert "{views" in flips
    assert "{rotation_range" not in flips
    assert "{pixels" not in flips
    none = tell_augmentation(Settings(**NO_AUGMENTATION), published=True)
    assert "fig:augmentation" not in none  # nothing is shown
    assert "fig:augmentation" in tell_augmentation(Settings(**NO_AUGMENTATION), published=False)


def test_the_optimizer_is_the_one_that_ran() -> None:
    paper: dict[str, Any] = {
        "loss": "categorical_crossentropy",
        "optimizer": "SGD",
        "rates": {"decay": 1e-7, "momentum": 0.9},
    }
    paper |= {"schedule": "InverseTimeDecay", "label_smoothing": 0}
    told = fill(tell_optimizer([paper]), []).markdown
    assert r"\frac{\eta_0}{1 + d\,t}" in told
    adam = tell_optimizer([{**paper, "optimizer": "Adam", "rates": {}}])
    assert "Adam" in adam
    assert "gradient descent" not in adam
    assert "decay" not in tell_optimizer([{**paper, "rates": {"momentum": 0.9}}])
    cosine = tell_optimizer([{**paper, "optimizer": "AdamW", "schedule": "CosineDecay", "rates": {}}])
    assert "AdamW" in cosine
    assert "cosine" in cosine
    assert "linear classifier" in tell_optimizer([])
