from __future__ import annotations

import pytest

from scenebook.core import wording


@pytest.mark.parametrize(
    ("names", "text"), [([], "none"), (["a"], "a"), (["a", "b"], "a and b"), (list("abc"), "a, b and c")]
)
def test_names_are_joined_as_in_a_sentence(names: list[str], text: str) -> None:
    assert wording.join_names(names) == text


@pytest.mark.parametrize(
    ("count", "text"), [(2, "0 and 1"), (3, "0, 1 and 2"), (4, "0, 1, 2 and 1 other"), (1000, "0, 1, 2 and 997 others")]
)
def test_of_many_names_the_first_are_told_and_the_rest_counted(count: int, text: str) -> None:
    assert wording.join_some([str(number) for number in range(count)], 3) == text


def test_what_is_shown_of_many_classes_is_said() -> None:
    assert wording.say_each(30, 30) == "each class"
    assert wording.say_each(30, 1000) == "each of the first 30 of 1,000 classes"


def test_one_of_a_thing_is_singular() -> None:
    assert wording.count_noun(1, "epoch") == "1 epoch"
    assert wording.count_noun(1350, "image") == "1,350 images"
    assert wording.count_noun(0, "class", "classes") == "0 classes"


def test_a_files_name_stands_without_its_folders_and_is_not_too_long() -> None:
    assert wording.name_file("a/b/9.jpg") == "9.jpg"
    assert wording.name_file("a/" + "x" * 40 + ".jpg") == "xxxxxxxxxxxx…xxxxxxx.jpg"


@pytest.mark.parametrize(
    ("share", "shown", "said"),
    [
        (0.0, "0%", "0%"),
        (0.005, "<1%", "less than 1%"),
        (0.006, "1%", "1%"),
        (0.994, "99%", "99%"),
        (0.995, ">99%", "more than 99%"),
        (1.0, "100%", "100%"),
    ],
)
def test_a_share_is_0_or_100_percent_only_if_it_is(share: float, shown: str, said: str) -> None:
    assert (wording.format_share(share), wording.say_share(share)) == (shown, said)
