"""Markdown of notebooks: read once, made harmless, and written as HTML and as Typst."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from scenebook.core.sentences import clean_text, without_marks
from scenebook.core.wording import shorten
from scenebook.rendering import pandoc
from scenebook.rendering.document import Fragment, ReportImage
from scenebook.rendering.maths import mark_formulas, read_equation, settle_equations
from scenebook.rendering.outputs import Data
from scenebook.rendering.pandoc import LINE_BREAK, NO_ATTRIBUTES, SPACE, Node, inlines_of, map_lists, plain_text, string
from scenebook.rendering.pictures import check_image, image_of, image_of_address
from scenebook.rendering.raw_html import is_comment, pair_tags, read_block

LARGEST_FILE = 20_000_000
REFERENCE_SCHEME = "scenebook-reference:"
_KEY = r"[A-Za-z0-9_](?:[\w.:/+-]{0,98}[\w+])?"
_LOCATOR = r"(?:(?!\n[ \t]*\n)[^][@;`<>$\\*{}|!]){1,100}"
_ITEM = rf"@({_KEY})(?:[ \t]*,({_LOCATOR}))?"
_ONE = f"(?>@{_KEY}(?:[ \\t]*,{_LOCATOR})?)"
# Each item is taken whole or not at all: to try shorter ones would take time that doubles with every item.
_REFERENCE = re.compile(rf"(?<!\\)((?:\\\\)*)\[({_ONE}(?:\s*;\s*{_ONE})*)\](?!\()", re.ASCII)
_LABEL_START = re.compile(r"(?:fig|tbl|eq|sec):")
_MARKED = re.compile(rf"\[(@[^\]]*)\]\({REFERENCE_SCHEME}[^)]*\)")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_FOOTNOTE = re.compile(r"^ {0,3}\[\^([^\]\s]{1,100})\]:.*(?:\n(?:[ \t]*\n)*(?: {2,}|\t)\S.*)*", re.MULTILINE)
_TO_FOOTNOTE = re.compile(r"(?<!\\)\[\^([^\]\s]{1,100})\](?!:)")
_ATTACHED = re.compile(r"(?<=\]\(attachment:)[^()\n\"'<>]{1,200}(?=\))")
_DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:", re.MULTILINE)
_LABEL_AFTER = re.compile(r"^\{#(eq:[a-z0-9-]+)\}(.*)$", re.DOTALL)


def read(fragments: Sequence[Fragment]) -> list[Fragment]:
    """Fills the tree of every fragment. Returns those that only became plain text: pandoc could not read them in time.

    HTML that lays out a page is read; any other becomes text, and so does a link to anything but the web or mail.
    """
    prepared = [(fragment, prepare(source)) for fragment, source in _with_footnotes(fragments)]
    # Definitions of links and footnotes would reach into other fragments of the same call.
    lone = [pair for pair in prepared if _DEFINITION.search(pair[1])]
    shared = [pair for pair in prepared if not _DEFINITION.search(pair[1])]
    failed: list[Fragment] = []
    for group in (shared, *([pair] for pair in lone)):
        trees = pandoc.in_batches([source for _, source in group], pandoc.read_markdown, lambda _: [])
        for (fragment, source), tree in zip(group, trees, strict=True):
            if not tree and source.strip():
                failed.append(fragment)
                paragraphs = re.split(r"\n\s*\n", clean_text(fragment.source).strip())
                tree = [_as_typed(paragraph) for paragraph in paragraphs]
            tree = map_lists(tree, _make_harmless)
            fragment.tree = inlines_of(tree) if fragment.inline else tree
    for notebook in dict.fromkeys(fragment.origin.notebook for fragment in fragments):
        settle_equations([fragment for fragment in fragments if fragment.origin.notebook == notebook])
    return failed


def _with_footnotes(fragments: Sequence[Fragment]) -> Iterator[tuple[Fragment, str]]:
    """Yields fragments with their source, and behind it the footnotes that another cell of their notebook holds.

    A note to which nothing refers is text: pandoc would drop it.
    """
    texts = [(one, "".join(part for part, is_code in _split_fences(one.source) if not is_code)) for one in fragments]
    notes = {(one.origin.notebook, found[1]): found[0] for one, text in texts for found in _FOOTNOTE.finditer(text)}
    wanted = {(one.origin.notebook, name) for one, text in texts for name in _TO_FOOTNOTE.findall(text)}
    for one, text in texts:
        own = {found[1] for found in _FOOTNOTE.finditer(text)}
        names = dict.fromkeys(_TO_FOOTNOTE.findall(text))
        lent = [notes.get((one.origin.notebook, name), "") for name in names if name not in own]
        source = one.source
        for name in own:
            if (one.origin.notebook, name) not in wanted:
                source = source.replace(f"[^{name}]:", f"\\[^{name}]:", 1)
        yield one, "\n\n".join([source, *filter(None, lent)])


def _as_typed(text: str) -> Node:
    parts = text.strip("\n").split("\n")
    return {"t": "Para", "c": [node for part in parts for node in (LINE_BREAK, string(part))][1:]}


def prepare(source: str) -> str:
    """Marks references and equations in Markdown source, so that CommonMark reads them as what they are.

    A reference becomes a link of a scheme of our own: only so can `[@fig:x]` be told from the escaped text
    `\\[@fig:x\\]` that stands for a class of that name; so does a citation, `[@key; @another, p. 3]`. `equation` and
    its like become display maths, as in Jupyter.
    """
    runs = _split_fences(_ATTACHED.sub(lambda match: match[0].replace(" ", "%20"), clean_text(source)))
    return "".join(
        text if is_code else _REFERENCE.sub(_prepare_reference, mark_formulas(text)) for text, is_code in runs
    )


def _split_fences(source: str) -> list[tuple[str, bool]]:
    lines: list[tuple[str, bool]] = []
    fence = ""
    for line in source.splitlines(keepends=True):
        match = _FENCE.match(line)
        lines.append((line, bool(fence or match)))
        if not fence:
            fence = match[1] if match else ""
        elif match and match[1][0] == fence[0] and len(match[1]) >= len(fence) and not line.strip().strip(fence[0]):
            fence = ""
    runs = itertools.groupby(lines, lambda pair: pair[1])
    return [("".join(line for line, _ in run), is_code) for is_code, run in runs]


def _prepare_reference(match: re.Match[str]) -> str:
    # In the address nothing of it can be read as emphasis.
    return f"{match[1]}[{match[2]}]({REFERENCE_SCHEME}{match[2].encode().hex()})"


def _make_harmless(nodes: list[Node]) -> list[Node]:
    return pair_tags([changed for node in _attach_labels(nodes) for changed in _change(node)], _link)


def _change(node: Node) -> list[Node]:
    kind = node["t"]
    if kind == "Math":
        return [read_equation(node["c"][0]["t"] == "DisplayMath", _MARKED.sub(r"[\1]", node["c"][1]))]
    if kind in {"Code", "CodeBlock"}:
        return [{"t": kind, "c": [NO_ATTRIBUTES, _MARKED.sub(r"[\1]", node["c"][1])]}]
    if kind == "Link":
        return _link(node)
    if kind == "RawBlock":
        text = _MARKED.sub(r"[\1]", node["c"][1].strip("\n"))
        if is_comment(text):
            return []
        read = read_block(text)
        return [_as_typed(text)] if read is None else map_lists(read, _make_harmless)
    return [node]


def _attach_labels(nodes: list[Node]) -> list[Node]:
    """Reads `$$...$$ {#eq:x}`, the other way to name an equation."""
    kept: list[Node] = []
    for node in nodes:
        match = _LABEL_AFTER.match(node["c"]) if node["t"] == "Str" else None
        before = next((item for item in reversed(kept[-2:]) if item["t"] not in {"Space", "SoftBreak"}), None)
        if match and before is not None and before["t"] == "Math" and before["c"][0]["t"] == "DisplayMath":
            labelled = {"t": "Math", "c": [before["c"][0], before["c"][1] + rf"\label{{{match[1]}}}"]}
            kept[kept.index(before) :] = [labelled, *([string(match[2])] if match[2] else [])]
        else:
            kept.append(node)
    return kept


def _link(node: Node) -> list[Node]:
    _, inlines, (address, _) = node["c"]
    address = without_marks(address)
    if address.startswith(REFERENCE_SCHEME):
        return _references(address.removeprefix(REFERENCE_SCHEME)) or inlines
    if re.match(r"(https?://|mailto:)", address, re.IGNORECASE):
        return [{"t": "Link", "c": [NO_ATTRIBUTES, inlines, [address, ""]]}]
    # An address within the notebook leads nowhere in the report.
    return inlines if address.startswith("#") else [*inlines, string(f" ({address})")]


def _references(written: str) -> list[Node]:
    """Reads what `_prepare_reference` wrote: labels and keys that stand side by side make one node each."""
    try:
        items = list(re.finditer(_ITEM, bytes.fromhex(written).decode(), re.ASCII))
    except ValueError:
        return []
    nodes: list[Node] = []
    for is_label, group in itertools.groupby(items, lambda item: bool(_LABEL_START.match(item[1]))):
        if nodes:
            nodes += [string(","), SPACE]
        if is_label:
            nodes.append({"t": "Reference", "c": {"labels": [item[1] for item in group]}})
        else:
            # Who knows BibTeX writes a range of pages as there.
            locators = ((item[1], without_marks(item[2] or "").replace("--", "–")) for item in group)
            cited = [{"key": key, "locator": " ".join(locator.split())} for key, locator in locators]
            nodes.append({"t": "Citation", "c": {"items": cited, "shown": []}})
    return nodes


def resolve_images(
    fragment: Fragment, attachments: Mapping[str, Data], folder: Path | None, run_dir: Path | None
) -> list[str]:
    """Puts the images that a fragment names into its tree: attachments of its cell, by name, and files of the run.

    Relative addresses start from the notebook's `folder`; no file outside of `run_dir` is read. Returns a warning for
    each image that is only named instead.
    """
    warnings: list[str] = []

    def show(node: Node) -> Node:
        if node["t"] != "Image":
            return node
        _, inlines, (address, _) = node["c"]
        address, alt = without_marks(address), without_marks(plain_text(inlines))
        name = unquote(address)
        described = alt or Path(name).name
        if name.startswith("attachment:"):
            image = image_of(attachments.get(name.removeprefix("attachment:"), {}), described)
        elif name.startswith("data:"):
            image = image_of_address(address, alt or "Image")
            address = shorten(address, 40)
        else:
            image = _read_file(name, described, folder, run_dir)
        if image is None:
            warnings.append(
                f"{fragment.origin}: the image {address!r} is not part of the run, so the report only names it."
            )
            return string(f"[image: {alt or address}]")
        return {"t": "ReportImage", "c": image}

    fragment.tree = map_lists(fragment.tree, lambda nodes: [show(node) for node in nodes])
    return warnings


def _read_file(name: str, alt: str, folder: Path | None, run_dir: Path | None) -> ReportImage | None:
    if folder is None or run_dir is None or "://" in name:
        return None
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(run_dir.resolve()) or path.stat().st_size > LARGEST_FILE:
            return None
        read = check_image(path.read_bytes(), is_svg=path.suffix.lower() == ".svg")
        return None if read is None else ReportImage(*read, alt)
    except (OSError, ValueError):
        return None
