from __future__ import annotations

import html
import logging
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pypandoc
import pytest
from bs4 import BeautifulSoup

from scenebook.core.errors import InputError
from scenebook.core.run_directory import RunDirectory
from scenebook.core.sentences import Sourced, escape, without_marks
from scenebook.data.decoding import decode
from scenebook.notebook import display as notebook
from scenebook.notebook.display import MIME, make_link, say, show_figure, show_pictures, show_table


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, run_dir: RunDirectory) -> list[dict[str, Any]]:
    """What was displayed: the data of each output, with the run open."""
    outputs: list[dict[str, Any]] = []
    monkeypatch.setattr(notebook, "display", lambda data, raw: outputs.append(data))
    monkeypatch.setitem(notebook._open, "run_dir", run_dir)
    return outputs


def to_html(markdown: str) -> list[str]:
    """Reads Markdown as the report does, by pandoc's CommonMark."""
    return [pypandoc.convert_text(markdown, "html", "commonmark_x-smart", ["--wrap=none"]).strip()]


SCORES = {"n": 600, "accuracy": {"value": 0.8815, "low": 0.85, "high": 0.91}}


def test_say_formats_values_and_bounds_and_names_its_sources(shown: list[dict[str, Any]]) -> None:
    say("{accuracy:.1%} ({accuracy.low:.0%} to {accuracy.high:.0%}) of {n:,} in [@fig:x].", SCORES)
    record = shown[0][MIME]
    assert without_marks(record["markdown"]) == "88.1% (85% to 91%) of 600 in [@fig:x]."
    assert record["sources"][0] == {"text": "88.1%", "source": "accuracy", "computed": True}
    assert shown[0]["text/markdown"] == "88.1% (85% to 91%) of 600 in *Figure x*."


def test_say_names_the_file_of_a_value_that_was_read_from_one(
    shown: list[dict[str, Any]], run_dir: RunDirectory
) -> None:
    run_dir.write_json("evaluation/metrics.json", SCORES)
    facts = Sourced({"k": 6}, origins={"k": "data/classes.json: number of classes"})
    say("{accuracy.low:.0%} of {k} and {m}", run_dir.read_json("evaluation/metrics.json"), facts, m=1)
    assert shown[0][MIME]["sources"] == [
        {"text": "85%", "source": "evaluation/metrics.json: accuracy.low", "computed": False},
        {"text": "6", "source": "data/classes.json: number of classes", "computed": False},
        {"text": "1", "source": "m", "computed": True},
    ]


def test_marks_of_values_that_come_with_the_text_are_dropped(shown: list[dict[str, Any]]) -> None:
    say("a\ufdd0b {x}", x="c\ufdd1d")
    assert shown[0][MIME]["markdown"] == "ab \ufdd0\ufdd2cd\ufdd1"


@pytest.mark.parametrize("field", ["{accuracy.__class__}", "{accuracy.value}", "{missing}", "{n.low}", "{n!r}", "{0}"])
def test_say_reaches_nothing_but_values_and_bounds(shown: list[dict[str, Any]], field: str) -> None:
    with pytest.raises(InputError, match="Expected a field"):
        say(field, SCORES)


@pytest.mark.parametrize(
    "text",
    [
        "*x*",
        "<b>bold</b>",
        "[link](x)",
        "$x$",
        "[@fig:a]",
        "`code`",
        "{n}",
        "#x",
        "a_b_c",
        "\\x",
        "1. first",
        "- item",
        "> quote",
        "a\tb".replace("\t", " "),
    ],
)
def test_inserted_text_never_becomes_markup(shown: list[dict[str, Any]], text: str) -> None:
    # In the middle of a sentence, and at the start of a paragraph, where lists and headings begin.
    for sentence in ("The class {name} is worst.", "{name} is worst."):
        say(sentence, name=text)
        (item,) = to_html(without_marks(shown.pop()[MIME]["markdown"]))
        assert item == f"<p>{html.escape(sentence.format(name=text), quote=False)}</p>"


def test_a_figure_is_kept_as_svg_with_its_text_as_text(shown: list[dict[str, Any]], run_dir: RunDirectory) -> None:
    fig, ax = plt.subplots()
    ax.set_title("loss")
    show_figure(fig, label="fig:loss", caption="Loss.", alt="It falls.")
    record = shown[0][MIME]
    assert (record["kind"], record["label"], record["alt"]) == ("figure", "fig:loss", "It falls.")
    svg = run_dir.path(record["file"]).read_text(encoding="utf-8")
    assert svg.startswith("<?xml")
    assert not plt.get_fignums()


def test_jupyter_shows_a_caption_under_the_name_that_sentences_refer_to(shown: list[dict[str, Any]]) -> None:
    caption = f"Classes of [@fig:x], {escape('<b> & [@fig:y]')} among them."
    show_table(pd.DataFrame({"n": [1]}), label="tbl:x-1", caption=caption)
    say("See [@tbl:x-1].")
    soup = BeautifulSoup(shown[0]["text/html"], "html.parser")
    assert soup.figcaption is not None
    assert soup.figcaption.get_text() == "Table x-1. Classes of Figure x, <b> & [@fig:y] among them."
    assert shown[1]["text/markdown"] == "See *Table x-1*."


def test_images_are_kept_as_jpeg_no_larger_than_print_needs(shown: list[dict[str, Any]], run_dir: RunDirectory) -> None:
    images = [np.full((900, 600, 3), 200, np.uint8), np.zeros((20, 30, 3), np.uint8)]
    show_pictures(images, captions=["a", "b"], label="fig:two", caption="Two.", alt="Two images.")
    items = shown[0][MIME]["items"]
    assert [item["caption"] for item in items] == ["a", "b"]
    assert [decode(run_dir.path(item["file"])).shape for item in items] == [(480, 320, 3), (20, 30, 3)]


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (6, 6), (7, 4), (12, 6), (13, 5)])
def test_rows_of_images_are_about_equally_long(shown: list[dict[str, Any]], count: int, columns: int) -> None:
    images = [np.zeros((8, 8, 3), np.uint8)] * count
    show_pictures(images, captions=[""] * count, label="fig:many", caption="Many.", alt="Black squares.")
    assert shown[0][MIME]["columns"] == columns


def test_a_table_is_text_already_formatted_and_aligned(shown: list[dict[str, Any]]) -> None:
    table = pd.DataFrame({"class": ["<b>", "b"], "f1": [0.5, None], "n": [1200, 7]})
    show_table(table, label="tbl:x", caption="X.", digits=2)
    record = shown[0][MIME]
    assert record["rows"] == [["<b>", "0.50", "1,200"], ["b", "", "7"]]
    assert record["align"] == ["left", "right", "right"]
    assert "<b>" not in shown[0]["text/html"]


@pytest.mark.parametrize("label", ["loss", "fig:Loss", "tbl:x", "fig:../x"])
def test_a_wrong_label_is_an_error(shown: list[dict[str, Any]], label: str) -> None:
    with pytest.raises(InputError, match="a label of the form fig:name"):
        show_figure(plt.figure(), label=label, caption="", alt="")
    plt.close("all")


def test_a_file_name_that_is_not_utf8_can_be_shown(shown: list[dict[str, Any]]) -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    show_table(pd.DataFrame({"file": [name]}), label="tbl:x", caption="X.")
    shown[0][MIME]["rows"][0][0].encode("utf-8")


def test_a_link_shows_its_address_and_leads_there(shown: list[dict[str, Any]]) -> None:
    address = "https://example.org/my-org/my_repo{x}"
    say(f"Repository: {make_link(address)}.")
    (item,) = to_html(shown[0][MIME]["markdown"])
    assert 'href="https://example.org/my-org/my_repo%7Bx%7D"' in item
    assert ">https://example.org/my-org/my_repo{x}</a>" in item


def test_loggers_of_the_output_stream_are_sent_to_the_log(
    shown: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCENEBOOK_RUNS", str(tmp_path))
    logger = logging.getLogger("somebody.elses")
    logger.addHandler(logging.StreamHandler(sys.stdout))
    try:
        notebook.begin("by-hand")
        logger.warning("Retraced.")
    finally:
        logger.handlers.clear()
    out, err = capsys.readouterr()
    assert "Retraced." not in out
    assert "Retraced." in err
