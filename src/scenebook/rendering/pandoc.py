"""Calls of the pandoc that comes as a wheel: sandboxed, with a time limit, many pieces in one call."""

from __future__ import annotations

import hashlib
import html
import json
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pypandoc

from scenebook.core.environment import build_environment

READER = "commonmark+pipe_tables+strikeout+tex_math_dollars+footnotes"
"""CommonMark is what Jupyter shows, and pandoc's reader of it takes linear time. Not among the extensions: those that
let text name raw output, attributes or ids."""
API_VERSION = [1, 23, 1]
SECONDS_A_CALL = 15.0
SECONDS_A_PIECE = 4.0
SECONDS_A_FILE = 60.0
_PRIVATE_PLANE = 0xF0000
DEEPEST = 120
"""Containers within containers in a tree. A page of prose has under 20."""

Node = dict[str, Any]  # a node of pandoc's document tree, as pandoc writes it to JSON
SPACE: Node = {"t": "Space"}
LINE_BREAK: Node = {"t": "LineBreak"}
NO_ATTRIBUTES: list[Any] = ["", [], []]
TreeChange = Callable[[list[Node]], list[Node]]
Piece = TypeVar("Piece")
Result = TypeVar("Result")


class PandocError(Exception):
    """pandoc did not answer in time, or not as expected."""


@cache
def _executable() -> str:
    # The wheel's own file: pypandoc would also take any `pandoc` of the working directory or of PATH.
    folder = Path(pypandoc.__file__).parent / "files"
    bundled = folder / ("pandoc.exe" if sys.platform == "win32" else "pandoc")
    return str(bundled) if bundled.is_file() else str(pypandoc.get_pandoc_path())


def run_pandoc(
    text: str, source: str, target: str, options: Sequence[str] = (), *, seconds: float = SECONDS_A_CALL
) -> str:
    """Converts text in one process that can read no file and open no connection.

    Raises:
        PandocError: pandoc failed, or took too long or too much memory.
    """
    return _call(text, ["--sandbox", "--wrap=none", "-f", source, "-t", target, *options], seconds).decode("utf-8")


def _call(text: str, options: Sequence[str], seconds: float, folder: Path | None = None) -> bytes:
    command = [_executable(), "+RTS", "-M1G", "-RTS", *options]
    # The time in a Word file is always the same, the first that a zip archive can hold.
    environment = {**build_environment(), "SOURCE_DATE_EPOCH": "315532800"}
    source = text.encode("utf-8")
    try:
        done = subprocess.run(
            command, input=source, capture_output=True, check=True, timeout=seconds, cwd=folder, env=environment
        )
        return done.stdout
    except subprocess.TimeoutExpired:
        raise PandocError(f"no answer within {seconds:g} s") from None
    except subprocess.CalledProcessError as error:
        raise PandocError(error.stderr.decode("utf-8", "replace").strip()) from None


def in_batches(
    pieces: Sequence[Piece],
    convert: Callable[[Sequence[Piece], float], list[Result]],
    give_up: Callable[[Piece], Result],
) -> list[Result]:
    """Converts all pieces in one call; halves the batch where that fails, until the guilty piece stands alone.

    `convert` takes pieces and a time limit in seconds, and raises `PandocError` when it cannot; `give_up` returns what
    becomes of a piece that cannot be converted even alone.
    """
    if not pieces:
        return []
    try:
        return convert(pieces, SECONDS_A_PIECE if len(pieces) == 1 else SECONDS_A_CALL)
    except PandocError:
        if len(pieces) == 1:
            return [give_up(pieces[0])]
    half = len(pieces) // 2
    return in_batches(pieces[:half], convert, give_up) + in_batches(pieces[half:], convert, give_up)


def read_markdown(sources: Sequence[str], seconds: float) -> list[list[Node]]:
    """Reads pieces of Markdown into pandoc's trees.

    A paragraph stands between two pieces. Where one of them swallows it (a code fence that nobody closed), the batch
    fails.

    Raises:
        PandocError: pandoc failed, or the pieces cannot be told apart.
    """
    mark = "boundary" + _digest(sources)
    text = f"\n\n{mark}\n\n".join(sources)
    aside, back = _stand_ins(text)
    answer = run_pandoc(text.translate(aside), READER, "json", seconds=seconds).translate(back)
    blocks = load_blocks(answer)
    trees: list[list[Node]] = [[]]
    for node in blocks:
        if node["t"] == "Para" and node["c"] == [{"t": "Str", "c": mark}]:
            trees.append([])
        else:
            trees[-1].append(node)
    if len(trees) != len(sources):
        raise PandocError("a piece runs into the next one")
    return trees


def _stand_ins(text: str) -> tuple[dict[int, int], dict[int, int]]:
    """Returns tables that put aside what pandoc's reader would change, and that put it back.

    The reader composes letters and their marks, and drops a byte order mark: the name of a file would no longer be that
    of the file. Signs of a private plane, which mean nothing to it, stand for them in between.
    """
    if unicodedata.is_normalized("NFC", text) and "\ufeff" not in text:
        return {}, {}
    # Signs of that plane itself are put aside as well: else they would be read back as stand-ins.
    signs = {sign for sign in text if sign == "\ufeff" or ord(sign) >= _PRIVATE_PLANE or _composes(sign)}
    aside = {ord(sign): _PRIVATE_PLANE + number for number, sign in enumerate(sorted(signs))}
    return aside, {stand_in: code for code, stand_in in aside.items()}


def _composes(sign: str) -> bool:
    """True for what NFC changes, moves or joins to the sign before it: also for vowels and finals of Hangul."""
    is_mark = unicodedata.category(sign)[0] == "M" or "\u1160" <= sign <= "\u11ff"
    return is_mark or not unicodedata.is_normalized("NFC", sign)


def write_trees(trees: Sequence[list[Node]], target: str, options: Sequence[str], seconds: float) -> list[str]:
    """Writes trees as HTML or Typst, each on its own.

    Raises:
        PandocError: pandoc failed.
    """
    name = "boundary" + _digest([json.dumps(tree, sort_keys=True) for tree in trees])
    mark = f"<!-- {name} -->" if target.startswith("html") else f"// {name}"
    blocks = [block for tree in trees for block in (*tree, raw_block(target, mark))]
    document = {"pandoc-api-version": API_VERSION, "meta": {}, "blocks": blocks}
    answer = run_pandoc(json.dumps(document), "json", target, options, seconds=seconds)
    pieces = answer.split(mark)
    if len(pieces) != len(trees) + 1:
        raise PandocError("pieces cannot be told apart")
    return [piece.strip("\n") for piece in pieces[:-1]]


def write_docx(meta: Node, blocks: list[Node], folder: Path) -> bytes:
    """Writes a Word file. The images that `blocks` name, and `reference.docx`, its styles, lie in `folder`.

    pandoc may read files here: every image must have a name that was made from its content.

    Raises:
        PandocError: pandoc failed, or took too long.
    """
    document = json.dumps({"pandoc-api-version": API_VERSION, "meta": meta, "blocks": blocks})
    # Of its folder of data: a user's own may hold other templates.
    options = ["--data-dir=.", "-f", "json", "-t", "docx", "--reference-doc=reference.docx", "-o", "-"]
    return _call(document, options, SECONDS_A_FILE, folder)


def load_blocks(answer: str) -> list[Node]:
    """Returns the blocks of a document that pandoc wrote as JSON.

    Raises:
        PandocError: They are nested too deeply for what follows.
    """
    try:
        blocks: list[Node] = json.loads(answer)["blocks"]
    except RecursionError:
        raise PandocError("too deeply nested") from None
    if depth_of(blocks) > DEEPEST:
        raise PandocError("too deeply nested")
    return blocks


def depth_of(tree: Any) -> int:
    """Returns how deep lists and nodes are nested, without recursion."""
    depth, level = 0, [tree]
    while level:
        depth += 1
        inner = [part for item in level for part in (item.values() if isinstance(item, dict) else item)]
        level = [part for part in inner if isinstance(part, (dict, list))]
    return depth


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "replace")).hexdigest()[:24]


def make_node(kind: str, *content: Any) -> Node:
    """A node with one content, or with a list of several."""
    return {"t": kind, "c": content[0] if len(content) == 1 else list(content)}


def string(text: str) -> Node:
    return {"t": "Str", "c": text}


def raw(target: str, text: str) -> Node:
    return {"t": "RawInline", "c": [target, text]}


def colour(text: str, ink: str, fill: str, *, bold: bool) -> Node:
    """Returns text in colours, such as `ff0000`, for Word; cells of tables cannot be filled through pandoc."""
    marks = f'{"<w:b/>" * bold}<w:color w:val="{ink or "auto"}"/><w:shd w:val="clear" w:fill="{fill or "auto"}"/>'
    return raw("openxml", f'<w:r><w:rPr>{marks}</w:rPr><w:t xml:space="preserve">{html.escape(text)}</w:t></w:r>')


def raw_block(target: str, text: str) -> Node:
    return {"t": "RawBlock", "c": [target, text]}


def map_lists(tree: list[Any], change: TreeChange) -> list[Any]:
    """Applies `change` to every list of nodes, inner ones first."""
    inner = [_map_item(item, change) for item in tree]
    is_list_of_nodes = bool(inner) and all(isinstance(item, dict) and "t" in item for item in inner)
    return change(inner) if is_list_of_nodes else inner


def _map_item(item: Any, change: TreeChange) -> Any:
    if isinstance(item, list):
        return map_lists(item, change)
    if isinstance(item, dict) and isinstance(item.get("c"), list):
        return {**item, "c": map_lists(item["c"], change)}
    return item


def each_node(tree: Any) -> Iterator[Node]:
    """Yields every node, in the order of the text."""
    if isinstance(tree, list):
        for item in tree:
            yield from each_node(item)
    elif isinstance(tree, dict) and "t" in tree:
        yield tree
        yield from each_node(tree.get("c"))


def plain_text(tree: list[Node]) -> str:
    """Returns the text of a tree, without its markup."""
    parts = []
    for node in each_node(tree):
        if node["t"] == "Str":
            parts.append(node["c"])
        elif node["t"] in {"Space", "SoftBreak", "LineBreak"}:
            parts.append(" ")
        elif node["t"] in {"Code", "CodeBlock"}:
            parts.append(node["c"][1])
        elif node["t"] == "Equation":
            parts.append(node["c"]["tex"])
        elif node["t"] in {"Para", "Plain", "Header"} and parts:
            parts.append(" ")
    return " ".join("".join(parts).split())


def inlines_of(tree: list[Node]) -> list[Node]:
    """Returns one line of inline nodes from a tree of paragraphs; anything but paragraphs becomes its text."""
    line: list[Node] = []
    for node in tree:
        piece = node["c"] if node["t"] in {"Para", "Plain"} else [string(plain_text([node]))]
        line += [SPACE, *piece] if line else piece
    return line
