from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenebook.rendering.spoken import speak


@pytest.mark.parametrize(
    ("tex", "words"),
    [
        (r"\frac{a}{b}", "a over b"),
        (r"p_k = \frac{\exp z_k}{\sum_j \exp z_j} .",
         "p sub k equals the fraction exp z sub k over sum over j of exp z sub j, end of fraction"),
        (r"\eta_t = \frac{\eta_0}{1 + d\,t} ,",
         "eta sub t equals the fraction eta sub 0 over 1 plus d t, end of fraction"),
        (r"-\sum_{i=1}^{n} \log p_i", "minus sum from i equals 1 to n of log p sub i"),
        (r"x^2 + y^{n+1} \le \sqrt{2}",
         "x squared plus y to the power of n plus 1, end of power, is at most the square root of 2"),
        (r"\frac12 x^23", "1 over 2 x squared 3"),
        (r"\sqrt{a+b}+x_{i+1}c", "the square root of a plus b, end of root, plus x sub i plus 1, end of subscript, c"),
        (r"\hat{y} = \arg\max_k p_k", "y hat equals arg max over k p sub k"),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "a equals b, c equals d"),
        (r"\text{true positives} / n", "true positives divided by n"),
        (r"\left( \mathbf{W}^T \Gamma \right)", "(W transposed capital gamma)"),
        (r"f'(x) \label{eq:f}", "f prime (x)"),
    ],
)  # fmt: skip
def test_common_equations_are_spoken(tex: str, words: str) -> None:
    assert speak(tex) == words


@pytest.mark.parametrize(
    "tex",
    [
        r"\foo{x}",
        r"\frac{a}",
        "}{",
        "{" * 100,
        r"\begin{matrix} a \end{matrix}",
        r"x^",
        "",
        r"\kept",
        r"\hat" * 5000 + " x",
    ],
    ids=lambda tex: tex[:20],
)
def test_what_has_no_words_stays_tex(tex: str) -> None:
    assert speak(tex) == tex


@given(st.text(alphabet="\\{}[]()^_&$'ab1 .,frcsqtumlexint", max_size=60))
def test_any_source_ends_in_some_text(tex: str) -> None:
    assert speak(tex) or not tex.strip(" ,.;")
