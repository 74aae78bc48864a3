"""What notebooks use to show things. The only module that imports IPython."""

from __future__ import annotations

import base64
import html
import inspect
import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.core.getipython import get_ipython
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image

from scenebook.core.environment import check_surroundings
from scenebook.core.errors import InputError, ScenebookError
from scenebook.core.run_directory import BY_HAND, TOUCHED, RunDirectory, open_run, write_bytes
from scenebook.core.sentences import Sourced, as_utf8, escape, fill, show_minus, without_marks
from scenebook.core.settings import Settings, make_settings
from scenebook.core.wording import format_share
from scenebook.notebook import grids, recording
from scenebook.notebook.figures import style
from scenebook.notebook.grids import Bar

MIME = "application/vnd.scenebook+json"
JPEG_SIDE = 480
"""Longest side of a photograph in the report, in pixels: 300 dots an inch when it is 1.6 inches wide."""
_KINDS = {"fig": "Figure", "tbl": "Table", "eq": "Equation", "sec": "Section"}
_PANDAS = ("compute.use_bottleneck", False, "compute.use_numexpr", False, "mode.string_storage", "python")
"""So that it computes with no package that only happens to be installed, in another order."""
_open: dict[str, RunDirectory] = {}  # the run that the notebook of this kernel writes to, as `run_dir`
_recorders: dict[Path, recording.SessionRecorder] = {}
"""Of a kernel in which a notebook is run by hand, by the run's folder."""


def begin(run: str) -> RunDirectory:
    """Opens the run that this notebook writes to, `by-hand` or one that the pipeline injected, and checks its
    parameters.

    A parameter is any variable of the notebook that has the name of a setting. In a notebook that is run by hand nobody
    has checked them before, and what is run is noted, so that a report can be made of it.

    Raises:
        SettingsError: A parameter has a wrong type or is out of bounds.
        InputError: Something around the kernel would change numbers or names.
    """
    shell: Any = get_ipython()
    recording.send_loggers_to_the_log()
    check_surroundings()
    make_settings(parameters())
    _open["run_dir"] = open_run(run)
    style.apply()
    pd.set_option(*_PANDAS)
    if shell is not None:
        # Input errors and missing files are for the reader to act on: one line says it, a traceback buries it.
        shell.set_custom_exc((ScenebookError,), _show_error)
        if run == BY_HAND:
            recording.run_what_is_needed(_open["run_dir"], shell.history_manager.input_hist_raw[-1])
            _record(shell, _open["run_dir"])
    return _open["run_dir"]


def _record(shell: Any, run_dir: RunDirectory) -> None:
    """Notes what is run in this kernel, unless the pipeline does, and marks the notebook as that of the session."""
    recorder = _recorders.get(run_dir.root)
    if recorder is not None:
        recorder.begin(parameters())
    elif TOUCHED not in os.environ:
        recorder = _recorders[run_dir.root] = recording.SessionRecorder(shell, run_dir, parameters())
    if recorder is not None:
        display(
            {"text/plain": recording.advise_report(run_dir)}, raw=True, metadata={recording.SESSION: recorder.session}
        )


def parameters() -> Sourced:
    """Returns the notebook's parameters: its variables that have the name of a setting.

    Functions, modules, tables and dictionaries are none: `preprocessing` is also what a notebook may import under that
    name, and `splits` what it calls those of the images. Nor is what somebody's own start-up files have set.
    """
    shell: Any = get_ipython()
    names = shell.user_ns if shell is not None else {}
    found = {name: names[name] for name in Settings.model_fields if name in names}
    strange = recording.list_unassigned(shell, found) if found else set()
    other = {name for name, it in found.items() if callable(it) or inspect.ismodule(it) or hasattr(it, "items")}
    return Sourced({name: value for name, value in found.items() if name not in strange | other}, "settings")


def _show_error(shell: Any, kind: type, error: BaseException, *_: Any, **__: Any) -> list[str]:
    lines = [f"{kind.__name__}: {error}"]
    shell._showtraceback(kind, error, lines)
    return lines


def _run_dir() -> RunDirectory:
    if not _open:
        raise InputError("Expected an open run.", advice="Call `run_dir = begin(run)` first.")
    return _open["run_dir"]


def show_figure(fig: Figure, *, label: str, caption: str, alt: str, wide: bool = False) -> None:
    """Shows a figure of matplotlib's, which is closed, and keeps it as `figures/<name>.svg`.

    Args:
        label: `fig:name`, for references as `[@fig:name]`.
        caption: Markdown; text from data goes through `escape`.
        alt: What a reader who cannot see the figure needs to know, as plain text.
        wide: Spans both columns of the PDF.
    """
    svg = style.to_svg(fig)
    plt.close(fig)
    file = f"figures/{_name(label, 'fig')}.svg"
    write_bytes(_run_dir().path(file), svg.encode())
    record = {"kind": "figure", "alt": as_utf8(alt), "wide": wide, "file": file}
    markup = f"<figure>{svg}{to_caption(label, caption)}</figure>"
    _show(_labelled(record, label, caption), f"Figure {label}: {caption}", markup, **{"image/svg+xml": svg})


def show_pictures(
    images: Sequence[np.ndarray],
    *,
    captions: Sequence[str],
    label: str,
    caption: str,
    alt: str,
    columns: int | None = None,
    wide: bool = True,
    bars: Sequence[Sequence[Bar]] = (),
    rows: Sequence[tuple[str, int]] = (),
) -> None:
    """Shows photographs side by side, each kept as `figures/<name>-<number>.jpg`.

    Args:
        images: uint8 `(height, width, 3)` in `[0, 255]`, of any sizes.
        captions: Plain text under each, also its alternative text; caption and label are as for `show_figure`.
        columns: Images in a row; by default as `columns_for` divides them.
        bars: Of each image, classes with their probability in `[0, 1]`, shown as bars under it.
        rows: Pairs of a heading, in plain text, and how many images stand under it; together all of them.
    """
    items: list[dict[str, Any]] = []
    for number, (image, text) in enumerate(zip(images, captions, strict=True), start=1):
        content = encode_jpeg(image)
        file = f"figures/{_name(label, 'fig')}-{number}.jpg"
        write_bytes(_run_dir().path(file), content)
        shown = as_utf8(text)
        items.append({"jpeg": base64.b64encode(content).decode(), "caption": shown, "alt": shown, "file": file})
    for item, of_image in zip(items, bars, strict=True) if bars else ():
        item["bars"] = [
            {**bar._asdict(), "label": as_utf8(bar.label), "text": format_share(bar.share)} for bar in of_image
        ]
    columns = columns or grids.columns_for(max((count for _, count in rows), default=len(items)))
    record = {
        "kind": "images",
        "alt": as_utf8(alt),
        "wide": wide and columns > 3,  # a few images are as large in one column as six are in two
        "columns": columns,
        "items": items,
        "rows": [{"heading": as_utf8(heading), "count": count} for heading, count in rows],
    }
    markup = grids.to_html(record) + to_caption(label, caption)
    _show(_labelled(record, label, caption), f"Figure {label}: {caption}", markup)


def encode_jpeg(image: np.ndarray, side: int = JPEG_SIDE) -> bytes:
    """Returns an image, uint8 `(height, width, 3)`, as JPEG, made smaller where a side is above `side` pixels."""
    scaled = Image.fromarray(image)
    scaled.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    scaled.save(buffer, "JPEG", quality=88, subsampling=0)
    return buffer.getvalue()


def keep_images(files: Sequence[str], images: Sequence[np.ndarray]) -> None:
    """Keeps images, uint8 `(height, width, 3)`, as JPEG files of the run, no side of them above 2000 pixels."""
    for file, image in zip(files, images, strict=True):
        write_bytes(_run_dir().path(file), encode_jpeg(image, side=2000))


def show_table(table: pd.DataFrame, *, label: str, caption: str, wide: bool = False, digits: int = 3) -> None:
    """Shows a table without its index; its label is `tbl:name`, the caption Markdown.

    Numbers are aligned right; decimal ones are shown with `digits` places, missing ones as blanks.
    """
    _name(label, "tbl")
    numeric = [pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype) for dtype in table.dtypes]
    rows = [[_format_cell(value, digits) for value in row] for row in table.itertuples(index=False, name=None)]
    header = [as_utf8(str(name)) for name in table.columns]
    align = ["right" if right else "left" for right in numeric]
    record = {"kind": "table", "wide": wide, "header": header, "align": align, "rows": rows}
    shown = pd.DataFrame(rows, columns=header)
    text = f"Table {label}: {caption}\n{shown.to_string(index=False)}"
    _show(_labelled(record, label, caption), text, shown.to_html(index=False, border=0) + to_caption(label, caption))


def _format_cell(value: Any, digits: int) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return show_minus(int(value), f"{value:,}")
    if isinstance(value, (float, np.floating)):
        return show_minus(float(value), f"{value:.{digits}f}")
    return as_utf8(str(value))


def say(sentence: str, *sources: Mapping[str, Any], **values: Any) -> None:
    """Shows Markdown whose numbers come from artifacts, so that a changed result changes the sentence.

    `{accuracy:.1%}` formats `accuracy`, looked up in `values` and then in `sources`; where that is a score, its
    `value`. `{accuracy.low:.1%}` and `{accuracy.high:.1%}` format its bounds. Nothing else can be reached. What is
    inserted is escaped, so that data never becomes markup.

    Raises:
        InputError: A field names nothing that was given, or reaches for an attribute.
    """
    filled = fill(sentence, (values, *sources))
    # Which notebook and cell computed a value without a source, only the report knows.
    used = [{"text": one.text, "source": one.source or one.field, "computed": not one.source} for one in filled.used]
    record = {"kind": "say", "markdown": as_utf8(filled.markdown), "sources": used}
    readable = name_references(without_marks(filled.markdown), "*")
    display({MIME: record, "text/markdown": readable, "text/plain": readable}, raw=True)


def as_code(text: str) -> str:
    """Returns text as Markdown code that shows it as it is, for use in the sentence that is given to `say`."""
    longest = max((len(ticks) for ticks in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{as_utf8(text)}{pad}{fence}".replace("{", "{{").replace("}", "}}")


def make_link(address: str) -> str:
    """Returns a Markdown link that shows its address, for `say`, which reads single braces as fields."""
    target = quote(address, safe=":/?#[]@!$&'()*+,;=%-._~")
    return f"[{escape(address)}](<{target}>)".replace("{", "{{").replace("}", "}}")


def show_source(thing: Any) -> None:
    """Shows the source of a function or class of the package, so that a reader need not leave the page for it."""
    code = inspect.getsource(thing)
    name = f"{thing.__module__}.{thing.__qualname__}"
    markup = f"<details><summary>{name}</summary><pre>{html.escape(code)}</pre></details>"
    _show({"kind": "source", "name": name, "code": code}, code, markup)


def _labelled(record: dict[str, Any], label: str, caption: str) -> dict[str, Any]:
    return {**record, "label": label, "caption": as_utf8(caption)}


def _show(record: dict[str, Any], text: str, markup: str, **more: str) -> None:
    display({MIME: record, "text/plain": as_utf8(text), "text/html": as_utf8(markup), **more}, raw=True)


def _name(label: str, kind: str) -> str:
    if not re.fullmatch(rf"{kind}:[a-z0-9-]+", label):
        raise InputError(f"Expected a label of the form {kind}:name.", received={"label": label})
    return label.split(":", 1)[1]


def to_caption(label: str, caption: str) -> str:
    """Returns a caption as HTML: behind the name by which sentences refer to it, without what marks it as text."""
    plain = re.sub(r"\\([^\w\s])", r"\1", name_references(f"[@{label}]. {caption}"))
    return f"<figcaption>{html.escape(plain)}</figcaption>"


def name_references(text: str, mark: str = "") -> str:
    """Returns Markdown with `Figure confusion` for `[@fig:confusion]`, between marks such as `*`."""

    def name(found: re.Match[str]) -> str:
        return f"{mark}{_KINDS.get(found[1], found[1])} {found[2]}{mark}"

    return re.sub(r"\[@(\w+):([a-z0-9-]+)\]", name, text)
