"""Citations of works: each is written, and the list of references made, by pandoc's own citeproc."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

from scenebook.core.errors import ReportError
from scenebook.core.project import project_folder
from scenebook.core.wording import tell_nearest
from scenebook.rendering import pandoc
from scenebook.rendering.bibliography import Bibliography, meta_string, read_bibliography, text_of
from scenebook.rendering.document import Fragment, Origin, Report, Work
from scenebook.rendering.pandoc import NO_ATTRIBUTES, SPACE, Node, plain_text, string

ANCHOR = "ref:"  # what stands before a work's key in the id of its entry
_CITEPROC_ANCHOR = "#ref-"
_DOI_ADDRESS = "https://doi.org/"
_STYLED = frozenset({"Emph", "Strong", "Strikeout", "Superscript", "Subscript", "SmallCaps", "Underline"})


def load_bibliography(report: Report, more: Sequence[str] = ()) -> Bibliography | None:
    """Reads the file that the front matter names, with the works that a report cites, and those of the keys `more`.

    Raises:
        ReportError: It cannot be read.
    """
    cited = {key for _, node in report.nodes("Citation") for key in keys_of(node)} | set(more)
    return read_bibliography(report.front.bibliography, cited) if report.front.bibliography else None


def check_citations(report: Report, bibliography: Bibliography | None) -> None:
    """Makes sure that every work that is cited is in the bibliography, and can be listed.

    Raises:
        ReportError: One is not; the error names it, the notebook and the cell.
    """
    for fragment, node in report.nodes("Citation"):
        for key in keys_of(node):
            check_work(key, bibliography, fragment.origin.received())


def check_work(key: str, bibliography: Bibliography | None, where: dict[str, Any]) -> None:
    """Makes sure that a work can be listed: the bibliography has it once, with a title, and somebody wrote it.

    Raises:
        ReportError: It cannot; with where it is cited, or of an entry that lacks something with file, key and line.
    """
    received: dict[str, Any] = {"citation": f"[@{key}]", **where}
    if bibliography is None:
        raise ReportError(
            "Expected the front matter to name a bibliography, because a work is cited.",
            received=received,
            advice=rf"Add `bibliography: references.bib` to it, or write \[@{key}\] where this is no citation.",
        )
    if key not in bibliography.entries:
        raise ReportError(
            "Expected a citation of a work that is in the bibliography.",
            received={**received, "bibliography": bibliography.name},
            advice=tell_nearest(key, bibliography.lines, "[@{}]").strip() or "Add an entry of this key to it.",
        )
    entry, lines = bibliography.entries[key], bibliography.lines.get(key, ["unknown"])
    received = {"file": bibliography.name, "key": key, "line": lines[0]}
    if len(lines) > 1:
        raise ReportError("Expected every key of the bibliography once.", received={**received, "again": lines[1]})
    if "title" not in entry:
        raise ReportError("Expected a cited entry to have a title.", received=received)
    if entry.keys().isdisjoint(("author", "editor", "publisher")):
        raise ReportError(
            "Expected a cited entry to have an author.",
            received=received,
            advice="An editor or an organization will do; braces keep a name together, as in {{The ACME Group}}.",
        )


def resolve_citations(report: Report, bibliography: Bibliography | None) -> None:
    """Fills in how each citation reads, and the report's list of references.

    A work that is not in the bibliography is shown as it was cited, with a warning: the report is incomplete, or this
    is a notebook rendered alone.

    Raises:
        ReportError: pandoc cannot write the list.
    """
    entries = bibliography.entries if bibliography is not None else {}
    known: list[Node] = []
    for fragment, node in report.nodes("Citation"):
        unknown = [key for key in keys_of(node) if key not in entries]
        if unknown:
            node["c"]["shown"] = [string(f"[{'; '.join('@' + key for key in keys_of(node))}]")]
            named = ", ".join(unknown)
            report.warnings.append(f"{fragment.origin}: no entry of the bibliography is called {named}.")
        else:
            known.append(node)
    if not known:
        return
    cited = list(dict.fromkeys(key for node in known for key in keys_of(node)))
    blocks = _run_citeproc(known, [entries[key] for key in cited], report.front.citation_style)
    fields = itertools.chain.from_iterable(entries[key].items() for key in cited)
    addresses = {text_of(value) for name, value in fields if name.lower() == "url"}
    for node, block in zip(known, blocks, strict=False):
        node["c"]["shown"] = simplify(block["c"][0]["c"][1], addresses)
    origin = Origin(bibliography.name if bibliography is not None else "", 0)
    report.references = [_work(entry, addresses, origin) for entry in blocks[-1]["c"][1]]


def keys_of(node: Node) -> list[str]:
    return [item["key"] for item in node["c"]["items"]]


def _run_citeproc(citations: list[Node], entries: list[dict[str, Node]], style: str) -> list[Node]:
    meta = {
        "references": {"t": "MetaList", "c": [{"t": "MetaMap", "c": entry} for entry in entries]},
        "link-citations": {"t": "MetaBool", "c": True},
        "link-bibliography": {"t": "MetaBool", "c": True},
        # Else the words of the list are those of this machine's language.
        "lang": meta_string("en-US"),
    }
    blocks = [{"t": "Para", "c": [_as_cite(node)]} for node in citations]
    document = {"pandoc-api-version": pandoc.API_VERSION, "meta": meta, "blocks": blocks}
    style_file = project_folder("report") / "template" / "citations" / f"{style}.csl"
    options = ["--citeproc", f"--csl={style_file}"]
    try:
        answer: list[Node] = json.loads(pandoc.run_pandoc(json.dumps(document), "json", "json", options))["blocks"]
    except pandoc.PandocError as error:
        raise ReportError("Expected pandoc to write the references.", received={"problem": str(error)[:300]}) from None
    if len(answer) != len(citations) + 1 or answer[-1]["t"] != "Div":
        raise ReportError("Expected pandoc to write the references.", received={"blocks": len(answer)})
    return answer


def _as_cite(node: Node) -> Node:
    citations = []
    for item in node["c"]["items"]:
        words = [part for word in item["locator"].split() for part in (SPACE, string(word))]
        citation = {
            "citationId": item["key"],
            "citationPrefix": [],
            "citationSuffix": [string(","), *words] if words else [],
            "citationMode": {"t": "NormalCitation"},
            "citationNoteNum": 0,
            "citationHash": 0,
        }
        citations.append(citation)
    return {"t": "Cite", "c": [citations, []]}


def _work(entry: Node, addresses: set[str], origin: Origin) -> Work:
    (identifier, _, _), blocks = entry["c"]
    key = identifier.removeprefix(_CITEPROC_ANCHOR[1:])
    inlines = [node for block in blocks for node in block["c"]]
    number = ""
    if inlines and inlines[0]["t"] == "Span" and "csl-left-margin" in inlines[0]["c"][0][1]:
        number = plain_text(inlines.pop(0)["c"][1])
    return Work(key, ANCHOR + key, number, Fragment("", origin, inline=True, tree=simplify(inlines, addresses)))


def simplify(nodes: list[Node], addresses: set[str]) -> list[Node]:
    """Keeps text, styles, maths, and links to the web and to entries; of anything else its text."""
    done: list[Node] = []
    for node in nodes:
        kind, content = node["t"], node.get("c", "")
        if kind in {"Space", "SoftBreak", "LineBreak"}:
            done.append(SPACE)
        elif kind in _STYLED:
            done.append({"t": kind, "c": simplify(content, addresses)})
        elif kind == "Span":
            done += simplify(content[1], addresses)
        elif kind == "Quoted":
            before, after = "“”" if content[0]["t"] == "DoubleQuote" else "‘’"
            done += [string(before), *simplify(content[1], addresses), string(after)]
        elif kind == "Math":
            done.append({"t": "Equation", "c": {"tex": content[1], "display": False, "label": "", "numbered": False}})
        elif kind == "Link":
            done += _link(node, addresses)
        else:
            last = content[-1] if isinstance(content, list) and content else content
            done.append(string(last if isinstance(last, str) else ""))
    return done


def _link(node: Node, addresses: set[str]) -> list[Node]:
    _, inlines, (address, _) = node["c"]
    shown = simplify(inlines, addresses)
    if address.startswith(_CITEPROC_ANCHOR):
        target = f"#{ANCHOR}{address.removeprefix(_CITEPROC_ANCHOR)}"
        return [{"t": "Link", "c": [["", [], [["role", "doc-biblioref"]]], shown, [target, ""]]}]
    if address.startswith(_DOI_ADDRESS) or address in addresses:
        return [{"t": "Link", "c": [NO_ATTRIBUTES, shown, [address, ""]]}]
    return shown
