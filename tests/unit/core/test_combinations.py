"""Settings that contradict one another, and those that change nothing beside the others."""

from __future__ import annotations

from typing import Any

import pytest

from scenebook.core.combinations import check_effects, list_idle, list_without_effect
from scenebook.core.errors import SettingsError
from scenebook.core.settings import make_settings

LINEAR: dict[str, Any] = {"head_start": "linear", "head_pooling": "average", "head_units": 0}
ALONE: dict[str, Any] = {**LINEAR, "epochs": 0}


@pytest.mark.parametrize(
    ("values", "received"),
    [
        ({**LINEAR, "head_units": 8}, "head_units=8"),
        ({**LINEAR, "head_pooling": "flatten"}, "head_pooling='flatten'"),
        ({"epochs": 0}, "epochs=0, fine_tune_epochs=0, head_start='random'"),
        ({**ALONE, "seeds": 3}, "seeds=3"),
        ({"schedule": "cosine", "epochs": 2, "warmup_epochs": 2}, "warmup_epochs=2.0, epochs=2"),
        ({"schedule": "cosine", "warmup_epochs": 2, "fine_tune_epochs": 1}, "fine_tune_epochs=1"),
    ],
)
def test_settings_that_contradict_one_another_are_refused(values: dict[str, Any], received: str) -> None:
    with pytest.raises(SettingsError, match=received):
        make_settings(values)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"fine_tune_layers": 10}, "fine_tune_layers"),
        ({"weight_decay": 0.1}, "weight_decay"),
        ({"weight_decay": 0.1, "optimizer": "adam"}, "weight_decay"),
        ({"optimizer": "adamw", "momentum": 0.5}, "momentum"),
        ({"warmup_epochs": 1}, "warmup_epochs"),
        ({"schedule": "constant", "decay": 0.1}, "decay"),
        ({"head_start": "linear", "learning_rate": 0.1}, "learning_rate"),
        ({"early_stopping": 3, "head_start": "linear"}, "early_stopping"),
        ({"rotation_range": 5, "head_start": "linear"}, "rotation_range"),
    ],
)
def test_a_setting_that_is_asked_for_and_changes_nothing_is_refused(values: dict[str, Any], name: str) -> None:
    settings = make_settings({**(ALONE if "head_start" in values else {}), **values})
    with pytest.raises(SettingsError, match=f"{name} has none where .*Received: {name}="):
        check_effects(settings, values)
    check_effects(settings, [])
    assert any(clause.startswith(f"{name} ") for clause in list_idle(settings))


def test_what_is_switched_off_may_be_asked_for() -> None:
    check_effects(make_settings({"weight_decay": 0, "warmup_epochs": 0}), ["weight_decay", "warmup_epochs"])


def test_with_two_phases_of_adamw_along_a_cosine_only_what_belongs_to_sgd_and_to_decay_is_idle() -> None:
    settings = make_settings(
        {**LINEAR, "epochs": 2, "fine_tune_epochs": 2, "optimizer": "adamw", "schedule": "cosine", "warmup_epochs": 1}
    )
    assert set(list_without_effect(settings)) == {"momentum", "decay", "groups", "splits", "follow_links"}
    assert list_idle(settings) == []
