from __future__ import annotations

import pytest

from scenebook.core.source_code import digest_cell, digest_modules, read_module


def test_a_module_that_is_imported_through_another_counts_and_packages_around_it_that_hold_code() -> None:
    found = digest_modules(["from scenebook.cli.parser import build_parser"])
    assert {"scenebook", "scenebook.cli", "scenebook.cli.parser", "scenebook.core.errors"} <= set(found)
    assert not {"scenebook.core", "scenebook.pipeline"} & set(found), "they hold nothing but a docstring"
    assert "scenebook.network.training" not in found


def test_what_only_type_checkers_import_does_not_count() -> None:
    assert digest_modules(["if TYPE_CHECKING:\n    from scenebook.core import errors"]) == {}


def test_an_import_within_a_function_counts() -> None:
    assert "scenebook.core.errors" in digest_modules(["def f():\n    from scenebook.core import errors"])


@pytest.mark.parametrize("magic", ["%matplotlib inline", "!ls", "?metrics"])
def test_a_cell_with_a_line_of_ipythons_own_imports_what_it_imports(magic: str) -> None:
    source = "from scenebook.core import errors"
    assert digest_modules([f"{magic}\n{source}"]) == digest_modules([source])


def test_of_a_cell_that_cannot_be_read_everything_is_taken_to_be_imported() -> None:
    assert {"scenebook.evaluation.metrics.classification", "scenebook.network.frozen.cutting"} <= set(
        digest_modules(["from scenebook import ("])
    )


def test_layout_and_comments_of_a_cell_do_not_count_but_its_texts_do() -> None:
    assert digest_cell("a = 1  # one\n") == digest_cell("a  =  1")
    assert digest_cell("a = 1") != digest_cell("a = 2")
    assert digest_cell("'shown'") != digest_cell("'shown differently'")
    assert digest_cell("%time a") != digest_cell("%time b")
    assert digest_cell("x = 1") != digest_cell("x = True") != digest_cell("x = '1'")


def test_a_module_is_read_once() -> None:
    assert read_module("scenebook.core.keys") is read_module("scenebook.core.keys")
