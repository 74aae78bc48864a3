"""What can be known before an image is decoded is refused before an image is decoded: no stage runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest

from scenebook.cli import main
from scenebook.core.profiles import parse_overrides
from scenebook.core.settings import PATHS, Settings
from tests.conftest import MakeFolder, write_image
from tests.processes import run_command

Refused = Callable[..., str]
NO_NUMBERS = ("many", "1:30", "0x10", "1_0", "true", "", "1e", "nan", ".inf", "[1]", "2024-01-01")


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Gives a command and returns what it says; it has to be refused, and nothing may have been made."""
    for name in ("PROFILE", "DATA", "WEIGHTS", "SET", "RUN", "FORCE", "FORMATS", "TIME_LIMIT", "SCHEDULER", "TRUST"):
        monkeypatch.delenv(f"SCENEBOOK_{name}", raising=False)
    monkeypatch.setenv("SCENEBOOK_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SCENEBOOK_BUILD", str(tmp_path / "build"))
    monkeypatch.chdir(tmp_path)

    def give(*words: str, command: str = "report") -> str:
        try:
            code = main([command, *words])
        except SystemExit as end:
            code = int(str(end.code))
        said = " ".join("".join(capsys.readouterr()).split())
        assert code == 2, (words, said)
        assert "Traceback" not in said
        assert not (tmp_path / "runs").exists(), words
        return said

    return give


def list_wrong_values(name: str) -> list[str]:
    """Values of a setting that cannot be meant: of another type, and just outside of its bounds."""
    field = Settings.model_fields[name]
    kinds = {get_origin(kind) or kind for kind in (get_args(field.annotation) or (field.annotation,))}
    if get_origin(field.annotation) is Literal:
        return ["other", "", "010"]
    if name in PATHS:
        return ["no such file", "no/such/folder", "~nobody-of-this-name/x"]
    if bool in kinds:
        return ["maybe", "2", "", "none", "0.5"]
    if str in kinds:
        return ["", "no such name"]
    number = list(Settings.model_fields).index(name) % len(NO_NUMBERS)
    wrong = [NO_NUMBERS[number], NO_NUMBERS[number - 1], *([] if type(None) in kinds else ["none"])]
    for item in field.metadata:
        wrong += [str(bound - 1) for key in ("ge", "gt") if (bound := getattr(item, key, None)) is not None]
        wrong += [str(bound + 1) for key in ("le", "lt") if (bound := getattr(item, key, None)) is not None]
    return wrong if float in kinds else [*wrong, "1.5"]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_wrong_value_of_any_setting_is_refused(name: str, refused: Refused) -> None:
    values = list_wrong_values(name)
    assert len(values) > 1
    for value in values:
        said = refused("--set", f"{name}={value}")
        assert name in said or "path=" in said, (value, said)


def test_a_wrong_value_is_refused_in_a_profile_too(tmp_path: Path, refused: Refused) -> None:
    for name in Settings.model_fields:
        value = list_wrong_values(name)[0]
        (tmp_path / "mine.yaml").write_text(f"{name}: {json.dumps(value)}\n", encoding="utf-8")
        assert name in refused("--profile", "mine.yaml"), name


def write_folders(folder: Path, make_folder: MakeFolder) -> Path:
    """Makes what the cases below name: images, and files in place of others."""
    make_folder({"cat": 4, "dog": 4}).rename(folder / "mine")
    (folder / "empty").mkdir()
    (folder / "hollow" / "only").mkdir(parents=True)
    write_image(folder / "half" / "cat" / "1.png")
    (folder / "half" / "dog").mkdir()
    (folder / "half" / "dog" / "1.jpg").write_bytes(b"<html>not found</html>")
    for name in ("page.weights.h5", "page.keras", "images.zip", "images.tar.gz", "file"):
        (folder / name).write_bytes(b"<!DOCTYPE html>")
    (folder / "claims.yaml").write_text("claims: {}\n", encoding="utf-8")
    (folder / "map.yaml").write_text("emu: bird\n", encoding="utf-8")
    return folder


MINE = ("--dataset", "mine")
SAMPLE = ("--profile", "sample")
CASES: dict[str, tuple[tuple[str, ...], str]] = {
    "a misspelt setting": (("--set", "epocs=3"), "Did you mean epochs?"),
    "nothing to be trained": (("--set", "epochs=0"), "Received: epochs=0"),
    "no folder": (("--dataset", "no such folder"), "There is no such folder"),
    "an address": (("--dataset", "https://example.org/images.zip"), "It is an address"),
    "a folder with an empty class": (("--dataset", "hollow", *SAMPLE), "at least one image in every class folder"),
    "no profile": (("--profile", "papr"), "Did you mean paper?"),
    "no file of weights": (("--weights", "none.h5"), "an existing .weights.h5 or .keras file"),
    "no name of weights": (("--weights", "embedded"), "one of imagenet, random, or an existing"),
    "a misspelt backbone": (("--set", "backbone=ResNet5"), "Did you mean ResNet50?"),
    "a backbone of old": (("--set", "backbone=embedded"), "efficientnet-lite0 or the name of a model"),
    "a run elsewhere": (("--run", "../x"), "a run's name"),
    "an empty samples_dir": ((*MINE, "--set", "samples_dir=empty"), "classes without=['cat', 'dog']"),
    "a samples_dir that lacks a class": ((*MINE, "--set", "samples_dir=half"), "classes without=['dog']"),
    "a samples_dir without drawn classes": (("--set", "samples_dir=mine"), "classes without=['buildings'"),
    "a samples_dir without the paper's classes": (("--profile", "paper", "--set", "samples_dir=mine"), "'buildings'"),
    "a missing samples_dir": ((*MINE, "--set", "samples_dir=none such"), "Received: samples_dir="),
    "a samples_dir that is a file": ((*MINE, "--set", "samples_dir=file"), "Received: samples_dir="),
    "a samples_dir that is an archive": ((*MINE, "--set", "samples_dir=images.zip"), "samples_dir=folder"),
    "an archive": (("--dataset", "images.zip"), "Unpack the archive, and name the folder: DATA=folder"),
    "another archive": (("--dataset", "images.tar.gz"), "Unpack the archive"),
    "a page in place of weights": ((*MINE, "--weights", "page.weights.h5"), "begins with=b'<!DOCTYP'"),
    "a page in place of a model": ((*MINE, "--weights", "page.keras"), "begins with=b'<!DOCTYP'"),
    "more trained layers than a backbone has": (("--set", "trainable_base_layers=142"), "at most 141"),
    "images too small for a backbone": (("--set", "backbone=Xception image_size=64"), "at least 71 for the backbone"),
    "a class map of other classes": ((*MINE, "--set", "class_map=map.yaml"), "name='emu'"),
    "a class map of other drawn classes": (("--set", "class_map=map.yaml"), "name='emu'"),
    "claims that are none": ((*MINE, "--set", "claims_file=claims.yaml"), "claims.yaml"),
    "splits of drawn images": (("--set", "splits=train:sea"), "splits has none where the images are drawn"),
    "numbers of drawn images with others": (
        (*MINE, *SAMPLE, "--set", "scenes_train_per_class=9"),
        "no images are drawn",
    ),
    "a plan in place of a profile": (("--profile", "ablations"), "ablation_plan="),
    "a scheduler that is no address": ((*MINE, "--scheduler", "here"), "tcp://host:port"),
    "no seconds": ((*MINE, "--time-limit", "soon"), "a number from 1"),
    "no stage": ((*MINE, "--force", "trainig"), "Expected names of stages"),
    "no format": ((*MINE, "--formats", "pfd"), "expected any of html, pdf, docx"),
    "a name of 100 letters of three bytes": ((*MINE, "--run", "図" * 100), "Expected a run's name"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_does_not_fit_together_is_refused(
    name: str, tmp_path: Path, make_folder: MakeFolder, refused: Refused
) -> None:
    write_folders(tmp_path, make_folder)
    words, message = CASES[name]
    assert message in refused(*words)


def test_a_folder_for_reports_that_cannot_be_written_to_is_refused_with_the_variable_that_names_another(
    tmp_path: Path, make_folder: MakeFolder, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folders(tmp_path, make_folder)
    monkeypatch.setenv("SCENEBOOK_BUILD", str(tmp_path / "file"))
    assert "SCENEBOOK_BUILD names another one" in refused(*MINE)


def test_a_process_exits_2_as_well_and_without_a_traceback(tmp_path: Path) -> None:
    done = run_command(tmp_path, "x", "report", "--dataset", "no such folder")
    assert (done.returncode, "Traceback" in done.output) == (2, False)
    assert "There is no such folder" in done.output
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", ["render", "bundle"])
def test_a_command_without_a_run_says_how_to_make_one(command: str, refused: Refused) -> None:
    assert "`python -m scenebook report` makes one" in refused("--run", "never", command=command)


def test_help_and_params_need_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert main(["params"]) == 0
    told = capsys.readouterr().out
    for name in ("report", "learning_rate", "trainable_base_layers", "samples_dir"):
        assert name in told


def test_numbers_are_decimal() -> None:
    assert parse_overrides(["epochs=010 learning_rate=1e-4 momentum=.5"]) == {
        "epochs": 10,
        "learning_rate": 1e-4,
        "momentum": 0.5,
    }


def test_what_was_understood_is_said_first(tmp_path: Path, make_folder: MakeFolder, refused: Refused) -> None:
    make_folder({"cats": 4, "dogs": 4}, "training_set")
    make_folder({"cats": 1, "dogs": 1}, "test_set")
    said = refused("--dataset", "images", "--weights", "none.h5")
    assert (
        "2 splits x 2 classes: train in training_set (8 images), test in test_set (2 images); classes cats and dogs"
        in said
    )
