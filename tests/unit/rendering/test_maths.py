from __future__ import annotations

import time

import pytest

from scenebook.rendering.document import Fragment, Origin
from scenebook.rendering.markdown import prepare, read
from scenebook.rendering.pandoc import each_node, plain_text


def read_cells(*sources: str) -> list[Fragment]:
    """Reads cells of one notebook."""
    fragments = [Fragment(source, Origin("n", number)) for number, source in enumerate(sources, start=1)]
    read(fragments)
    return fragments


def formulas_of(fragment: Fragment) -> list[str]:
    return [node["c"]["tex"] for node in each_node(fragment.tree) if node["t"] == "Equation"]


@pytest.mark.parametrize(
    ("source", "formulas"),
    [
        ("and $a\n+ b$ too", ["a + b"]),
        ("while $ \\beta = 1 $ holds and $ x $ too", [r"\beta = 1", "x"]),
        ("| f | g |\n|---|---|\n| $|x|$ | $\\|x\\|_2$ |", [r"\vert{}x\vert{}", r"\Vert{}x\Vert{}_2"]),
        ("$\\begin{equation}\ny\n\\end{equation}$", ["y"]),
        ("so \\\\(z\\\\) and \\\\[\ny^2\n\\\\] but \\[q\\]", ["z", "y^2"]),
        ("From $200 million to $700 million, `$x$`, \\$5, $6 and $7.", []),
        ("> $$\n> x\n> $$\n\n`$a$` <a title='$b$'>$c$</a>", ["x", "c"]),
    ],
)
def test_formulas_begin_and_end_where_jupyter_has_them(source: str, formulas: list[str]) -> None:
    assert formulas_of(read_cells(source)[0]) == formulas


def test_a_command_holds_for_all_cells_of_a_notebook_and_its_definition_is_not_shown() -> None:
    defined = r"$$\newcommand{\E}[1][X]{\mathbb{E}[#1]} \def\v#1{\mathbf{#1}} \DeclareMathOperator{\argmin}{arg\,min}$$"
    first, second = read_cells(defined, r"$\E[\v{x}]\in\v y$, $\argmin_x\E x$, $\E % b$")
    assert formulas_of(first) == []
    assert formulas_of(second) == [
        r"\mathbb{E}[\mathbf{x}]\in\mathbf{y}",
        r"\mathop{\mathrm{arg\,min}}_x\mathbb{E}[X]x",
        r"\E % b",
    ]


def test_a_tag_is_the_number_of_its_equation() -> None:
    (cell,) = read_cells("\\begin{align} a \\tag{4} \\end{align}\n\n$$b \\tag{1a}$$")
    equations = [node["c"] for node in each_node(cell.tree) if node["t"] == "Equation"]
    assert [("(4)" in item["tex"], "(1a)" in item["tex"], item["numbered"]) for item in equations] == [
        (True, False, False), (False, True, False),
    ]  # fmt: skip


def test_references_of_latex_lead_to_the_equation_of_that_label() -> None:
    cells = read_cells(
        "$$L \\label{loss}$$\n\n$$M \\label{loss}$$",
        "see \\eqref{loss}, Eq. (\\ref{loss}), $\\eqref{loss}$ and \\ref{none}",
    )
    label, again = (node["c"]["label"] for node in each_node(cells[0].tree) if node["t"] == "Equation")
    references = [node["c"] for node in each_node(cells[1].tree) if node["t"] == "Reference"]
    assert [item["labels"] for item in references] == [[label]] * 3
    assert not again
    assert plain_text(cells[1].tree).endswith("\\ref{none}")


def test_commands_without_an_end_stay_as_they_are_and_nothing_takes_long() -> None:
    started = time.process_time()
    for body in (r"\a\a", r"x\a\a"):
        cell = read_cells(rf"$\newcommand{{\a}}{{{body}}} \a$ and $\mathbb R$")[0]
        assert formulas_of(cell) == [r"\a", r"\mathbb R"]
    for piece in ("$", "`", "$a ", "<a ", "\\\\(", "\\newcommand{", "|$|"):
        prepare(piece * 3000)
    assert time.process_time() - started < 5
