"""Settings that somebody else may have written."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenebook.core.errors import InputError, SettingsError, WeightsError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.settings import make_settings
from scenebook.pipeline.compare.read import check_settings
from tests.unit.pipeline.compare.runs import write_settings


def test_the_settings_of_a_run_come_back_as_they_were(run: RunDirectory) -> None:
    assert check_settings(run, trust=False) == make_settings({})


def test_settings_that_an_older_version_did_not_know_are_the_defaults(run: RunDirectory) -> None:
    write_settings(run, {"epochs": 3})
    assert check_settings(run, trust=False) == make_settings({"epochs": 3})


def test_changes_stand_in_place_of_the_runs_own(run: RunDirectory) -> None:
    write_settings(run, {"dataset": "/not/on/this/machine", "epochs": 3})
    with pytest.raises(InputError, match="/not/on/this/machine"):
        check_settings(run, trust=False)
    assert check_settings(run, trust=False, changes={"dataset": "scenes"}).epochs == 3


@pytest.mark.parametrize("name", ["w.keras", "W.KERAS"])
def test_a_keras_file_needs_trust(run: RunDirectory, tmp_path: Path, name: str) -> None:
    weights = tmp_path / name
    weights.write_bytes(b"PK\x03\x04")
    write_settings(run, {"backbone": "ResNet50", "weights": str(weights)})
    with pytest.raises(InputError, match=r"can hold code.*safe mode.*weights=.*--trust") as caught:
        check_settings(run, trust=False)
    assert caught.value.exit_code == 2


def test_a_keras_file_that_is_trusted_is_taken(run: RunDirectory, tmp_path: Path) -> None:
    weights = tmp_path / "w.keras"
    weights.write_bytes(b"PK\x03\x04")
    write_settings(run, {"backbone": "ResNet50", "weights": str(weights)})
    assert check_settings(run, trust=True).weights == str(weights)


def test_a_keras_file_behind_a_link_of_another_name_needs_trust(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "w.keras").write_bytes(b"PK\x03\x04")
    (tmp_path / "w.weights.h5").symlink_to(tmp_path / "w.keras")
    write_settings(run, {"backbone": "ResNet50", "weights": str(tmp_path / "w.weights.h5")})
    with pytest.raises(InputError, match="--trust"):
        check_settings(run, trust=False)


def test_weights_without_code_need_no_trust_but_have_to_be_there(run: RunDirectory, tmp_path: Path) -> None:
    write_settings(run, {"backbone": "ResNet50", "weights": str(tmp_path / "w.weights.h5")})
    with pytest.raises(WeightsError, match="existing"):
        check_settings(run, trust=False)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("!!python/object/apply:os.system ['touch hacked']", "settings in YAML"),
        ("epochs: [1", "settings in YAML"),
        ("- epochs", "`name: value` lines"),
        ("", "`name: value` lines"),
        ("epochs: 2024-99-99", "settings in YAML"),
        ("seed: " + "9" * 5000, "settings in YAML"),
        ("[" * 1_500, "settings in YAML"),
        ("a: &a [x]\nb: [*a, *a]", "no references to other places"),
        ("a: &a {x: 1}\n<<: *a", "no references to other places"),
        ("a: [x]", "whose values are text, numbers"),
        ("? 0x" + "f" * 20_000 + "\n: 1", "Expected the name of a setting"),
        ("1: 2", "whose values are text, numbers"),
        ("epochs: -1", "valid value for the setting epochs"),
        ("epochs: true", "valid value for the setting epochs"),
        ("epoch: 3", r"Did you mean epochs\?"),
        ("dataset: ~nobody-of-this-name/x", "whose ~ stands for a home folder"),
        ('dataset: "\\0"', "Expected"),
        ("# " + "x" * 100_000, "at most 100,000 bytes"),
    ],
)
def test_settings_that_are_none_are_an_error_in_words(run: RunDirectory, text: str, match: str) -> None:
    run.path("settings.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=match) as caught:
        check_settings(run, trust=False)
    assert caught.value.exit_code == 2
    assert len(str(caught.value)) < 1500


def test_bytes_that_are_no_text_and_a_missing_file_are_errors_too(run: RunDirectory) -> None:
    run.path("settings.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="settings in UTF-8"):
        check_settings(run, trust=False)
    run.path("settings.yaml").unlink()
    with pytest.raises(SettingsError, match="run with its settings"):
        check_settings(run, trust=False)
