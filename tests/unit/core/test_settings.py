from __future__ import annotations

from pathlib import Path

import pytest

from scenebook.core.combinations import list_idle
from scenebook.core.errors import SettingsError
from scenebook.core.profiles import find_profile, load_profile, parse_overrides
from scenebook.core.project import project_root
from scenebook.core.settings import Settings, describe_settings, make_settings


def test_an_unknown_setting_is_named_with_its_nearest_neighbour() -> None:
    with pytest.raises(SettingsError, match=r"Received: setting='epocs'\. Did you mean epochs\?"):
        make_settings({"epocs": 3})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", -1),
        ("epochs", True),
        ("epochs", 2.5),
        ("epochs", "many"),
        ("zoom_range", 1.0),
        ("horizontal_flip", 1),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("image_size", 8),
        ("image_size", "own"),
        ("fit", "stretch"),
        ("random_crop", 1),
        ("views", -1),
        ("dataset", ""),
    ],
)
def test_a_wrong_type_or_bound_is_an_error_that_names_setting_and_value(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=rf"setting {name} .*Received: {name}="):
        make_settings({name: value})


def test_a_size_may_be_a_number_or_auto() -> None:
    assert [make_settings({"image_size": size}).image_size for size in (150, "auto")] == [150, "auto"]
    with pytest.raises(SettingsError, match="from 32 to 1024, or auto"):
        make_settings({"image_size": 2000})


def test_settings_cannot_be_changed_in_place() -> None:
    settings = make_settings({})
    with pytest.raises(ValueError, match="frozen"):
        settings.epochs = 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image_size=auto fit=crop", {"image_size": "auto", "fit": "crop"}),
        ("epochs=2 max_per_class=40", {"epochs": 2, "max_per_class": 40}),
        ("decay=1e-7", {"decay": 1e-7}),
        ("max_per_class=none", {"max_per_class": None}),
        ("horizontal_flip=false", {"horizontal_flip": False}),
        ("samples_dir=my own images epochs=3", {"samples_dir": "my own images", "epochs": 3}),
        ("dataset=$(touch x)", {"dataset": "$(touch x)"}),
        ('dataset=it\'s "here"', {"dataset": 'it\'s "here"'}),
        ("dataset=\"my images\" epochs='2'", {"dataset": "my images", "epochs": 2}),
        ("epochs=2 epochs=02", {"epochs": 2}),
        ("", {}),
    ],
)
def test_overrides_are_read_as_yaml_scalars(text: str, expected: dict[str, object]) -> None:
    assert parse_overrides([text]) == expected


@pytest.mark.parametrize(
    ("texts", "received"), [(["epochs"], "set='epochs'"), (["epochs=2 seed=1", "epochs=3"], r"epochs=\[2, 3\]")]
)
def test_an_override_without_an_equals_sign_or_with_two_values_is_an_error(texts: list[str], received: str) -> None:
    with pytest.raises(SettingsError, match=f"Received: {received}"):
        parse_overrides(texts)


def test_the_paper_profile_is_table_1() -> None:
    paper = make_settings(load_profile(project_root() / "profiles" / "paper.yaml"))
    assert (
        paper.model_dump()
        | {
            "backbone": "ResNet50",
            "weights": "imagenet",
            "image_size": 150,
            "rotation_range": 90,
            "width_shift_range": 0.2,
            "height_shift_range": 0.2,
            "shear_range": 0.2,
            "zoom_range": 0.2,
            "horizontal_flip": True,
            "learning_rate": 0.001,
            "decay": 1e-7,
            "momentum": 0.9,
            "epochs": 8,
            "batch_size": 64,
            "trainable_base_layers": 3,
            "head_units": 1024,
        }
        == paper.model_dump()
    )


def test_the_sample_profile_lists_every_setting_with_its_default() -> None:
    values = load_profile(project_root() / "profiles" / "sample.yaml")
    assert make_settings(values) == make_settings({})
    assert list(values) == list(Settings.model_fields)


@pytest.mark.parametrize("name", ["recommended", "quick", "best"])
def test_a_profile_can_be_followed_and_asks_for_nothing_without_effect(name: str) -> None:
    settings = make_settings(load_profile(project_root() / "profiles" / f"{name}.yaml"))
    assert list_idle(settings) == []


def test_an_unknown_profile_is_an_error_with_the_known_ones() -> None:
    known = "best, paper, quick, recommended, sample"
    with pytest.raises(SettingsError, match=rf"Did you mean paper\? Known profiles: {known}\."):
        find_profile("papr", project_root() / "profiles")


def test_a_profile_that_is_no_mapping_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text("- epochs\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="`name: value` lines"):
        load_profile(path)


def test_a_profile_is_never_run_as_code(tmp_path: Path) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text("epochs: !!python/object/apply:os.system ['touch x']\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="profile in YAML"):
        load_profile(path)


def test_every_setting_has_a_meaning_bounds_and_a_default() -> None:
    for row in describe_settings():
        assert all(row[name] for name in ("name", "default", "bounds", "meaning")), row
