"""Errors of files that a model describes: they name the entry and its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from scenebook.core.errors import InputError
from scenebook.core.validation import is_valid, read_model
from scenebook.core.yaml_files import read_yaml


class Factor(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    times: float


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    title: str = Field(min_length=1)
    change: dict[str, int | str | Factor] = Field(default_factory=dict)


class Listing(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    items: list[Item]


def read(folder: Path, text: str) -> Listing:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return read_model(read_yaml(path, "listing"), Listing, unions={"rate": "a number or a factor"}, advice="See above.")


def test_what_is_right_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, "items:\n- {title: a, change: {rate: {times: 2.0}}}\n").items[0].change == {
        "rate": Factor(times=2)
    }


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (
            "{titel: a}",
            r"only known keys.*entry='items\.0\.titel', line=2.*Did you mean title\? Known here: title, cha",
        ),
        ("{change: {}}", r"Expected the key title\..*entry='items\.0\.title', line=2, value=None\. See above\."),
        ("{title: ''}", r"a valid entry: string should have at least 1 character\..*line=2, value=''"),
        ("{title: a, change: {rate: [1]}}", r"a number or a factor\..*entry='items\.0\.change\.rate'.*value='list'"),
        ("{title: a, change: {rate: {times: 2.0, time: 1}}}", r"only known keys.*change\.rate\.time'.*here: times\."),
        ("{title: a, change: {rate: {times: x}}}", r"a number or a factor\..*change\.rate'"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, item: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, f"items:\n- {item}\n")


def test_a_list_is_no_mapping(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"listing to be a mapping with the keys items\..*file='mine\.yaml'"):
        read(tmp_path, "- a\n")


@pytest.mark.parametrize(
    ("annotation", "value", "valid"), [(int, 3, True), (int, "3", False), (int | None, None, True)]
)
def test_a_value_is_of_a_type_as_it_stands(annotation: Any, value: object, valid: bool) -> None:
    assert is_valid(annotation, value) is valid
