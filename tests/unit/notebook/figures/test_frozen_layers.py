from __future__ import annotations

from scenebook.notebook.figures.frozen_layers import CutDisplay
from tests.unit.notebook.figures.test_network import texts_of


def test_it_tells_the_size_of_both_parts_and_of_what_passes_between_them() -> None:
    display = CutDisplay.from_parts((172, 23_000), (1, 6_300), [(5, 5, 2048), (5, 5, 1024)]).plot()
    assert {"172 layers", "1 layer", "23,000 parameters", "6,300 parameters"} <= texts_of(display)
    assert {"5 × 5 × 2048", "5 × 5 × 1024"} <= texts_of(display)


def test_many_tensors_are_counted() -> None:
    assert "5 tensors" in texts_of(CutDisplay.from_parts((3, 9), (4, 16), [(2, 2, 8)] * 5).plot())


def test_a_long_number_stays_in_its_box() -> None:
    display = CutDisplay.from_parts((3, 9), (4, 123_456_789_012), [(8,)]).plot()
    assert not any("123,456,789,012 parameters" in text for text in texts_of(display))
