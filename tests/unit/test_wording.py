from __future__ import annotations

import pytest

from scenebook import wording


@pytest.mark.parametrize(
    ("names", "text"), [([], "none"), (["a"], "a"), (["a", "b"], "a and b"), (list("abc"), "a, b and c")]
)
def test_names_are_joined_as_in_a_sentence(names: list[str], text: str) -> None:
    assert wording.join_names(names) == text


def test_one_of_a_thing_is_singular() -> None:
    assert wording.count_noun(1, "epoch") == "1 epoch"
    assert wording.count_noun(1350, "picture") == "1,350 pictures"
    assert wording.count_noun(0, "class", "classes") == "0 classes"
