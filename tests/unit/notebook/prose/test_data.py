from __future__ import annotations

import pandas as pd
import pytest

from scenebook.core.sentences import fill, without_marks
from scenebook.notebook.prose.data import tell_origin


def told(dataset: str, sizes: list[tuple[int, int]]) -> str:
    text, values = tell_origin(dataset, pd.DataFrame(sizes, columns=["width", "height"]))
    return without_marks(fill(text, [values]).markdown).replace("&nbsp;", " ")


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ("scenes", "drawn from a seed"),
        ("intel", "photographs of landscapes and towns"),
        ("my images", "given to the"),
    ],
)
def test_what_is_known_of_the_origin_is_said(dataset: str, said: str) -> None:
    assert said in told(dataset, [(150, 150)] * 3)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([(150, 100)] * 3, "All are 150 by 100 pixels large."),
        ([(150, 150)] * 3 + [(10, 20)], "Most are 150 by 150 pixels large."),
        ([(40, 30), (30, 50), (640, 480)], "They are of many sizes, from 40 to 640 pixels on their longer side."),
    ],
)
def test_sizes_are_told_as_they_are(sizes: list[tuple[int, int]], said: str) -> None:
    assert told("folder", sizes).endswith(said)
