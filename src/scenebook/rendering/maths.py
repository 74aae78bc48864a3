r"""Formulas in Markdown, as Jupyter shows them: where they begin and end, `\newcommand`, `\tag` and `\ref`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from scenebook.rendering import pandoc
from scenebook.rendering.document import Fragment
from scenebook.rendering.numbering import slug_of
from scenebook.rendering.pandoc import Node, each_node, map_lists, string

LABEL = re.compile(r"\\label\s*\{([^{}]*)\}")
_TOKENS = re.compile(
    r"(?P<kept>(?<!`)(?P<ticks>`{1,3})(?!`)[^\n]{0,500}?(?<!`)(?P=ticks)(?!`)|<[a-zA-Z/!][^<>\n]{0,1000}>)"
    r"|\\\\\((?P<round>[^\n]{1,1000}?)\\\\\)|\\\\\[(?P<square>.{1,4000}?)\\\\\]"
    r"|(?P<escaped>\\[^\w\s])"
    r"|\$\$(?P<dollars>.+?)(?<!\\)\$\$"
    r"|\$?\\begin\{(?P<name>(?:equation|align|gather|multline|eqnarray|alignat)\*?)\}(?P<body>.+?)\\end\{(?P=name)\}\$?"
    r"|\$(?=\S)(?P<inline>(?:[^$\\`\n]|\\[^\n]|\n(?![ \t]*(?:\n|>))){1,1000}?)(?<=\S)\$(?!\d)"
    r"|\$(?P<padded>[ \t](?=[^$\n`]*[\\^_=<>]|\w[ \t]\$)(?:[^$\\`\n]|\\[^\n]){1,200}[ \t])\$(?![\d$])"
    r"|\$(?P<lone>)(?=[^\n`]{0,500}`[^`\n]{0,100}\$)",
    re.DOTALL,
)
_TAG = re.compile(r"\\tag\b")
_GROUP = r"\{[^{}]*\}"
for _ in range(3):
    _GROUP = rf"\{{(?:[^{{}}]|{_GROUP})*\}}"
_DEFINITION = re.compile(
    r"\\(?:(?:re|provide)?newcommand\*?|DeclareMathOperator\*?|def)\s*(?:\{\s*\\(?P<braced>[a-zA-Z]+)\s*\}|"
    rf"\\(?P<name>[a-zA-Z]+))\s*(?:\[\d\]\s*(?:\[[^][]*\])?|(?:#\d)*)\s*{_GROUP}"
)
_COMMAND = re.compile(r"\\([a-zA-Z]+)")
_REFERRED = re.compile(r"\\(eqref|ref)\{([^{}]{1,200})\}")
_OF_MATHJAX = r"""
    \def\LaTeX{\text{LaTeX}} \def\TeX{\text{TeX}} \def\degree{^\circ} \def\notag{} \def\nonumber{} \def\require#1{}
    \def\tag#1{\qquad\text{(#1)}} \def\mathbbm#1{\mathbb{#1}} \def\ce#1{\mathrm{#1}} \def\textcolor#1#2{{#2}}
    \def\href#1#2{{#2}} \def\class#1#2{{#2}}
"""
"""What Jupyter shows and pandoc does not know. Colours and links of a formula go."""
_SECONDS = 1.0
"""For the commands of one call: a few short ones may stand for any number."""


def mark_formulas(text: str) -> str:
    """Writes the formulas of Markdown so that pandoc takes each for one.

    Display maths goes on one line: a line of it that begins with `+` would start a list. A bar within a formula ends no
    cell of a table.
    """
    return _TOKENS.sub(_write_formula, text)


def _write_formula(match: re.Match[str]) -> str:
    if match["kept"] or match["escaped"]:
        return match[0]
    line = match.string[match.string.rfind("\n", 0, match.start()) + 1 : match.start()]
    if match["lone"] is not None:
        return "$" if line.startswith(("    ", "\t")) else r"\$"  # indented lines may be code
    inline = next((match[name] for name in ("inline", "padded", "round") if match[name] is not None), None)
    if inline is not None:
        return f"${_without_bars(' '.join(inline.split()), match)}$"
    display = match["dollars"] if match["dollars"] is not None else match["square"]
    if display is not None:
        # The marks of a quotation are none of the formula.
        return "$$" + " ".join(re.sub(r"\n[ \t]*>", "\n", display).split() if ">" in line else display.split()) + "$$"
    name, body = match["name"], " ".join(match["body"].split())
    label = "" if name.endswith("*") or LABEL.search(body) or _TAG.search(body) else r"\label{}"
    if name.rstrip("*") != "equation":
        body = rf"\begin{{{name}}}{body}\end{{{name}}}"
    return f"$${label}{body}$$"


def _without_bars(tex: str, match: re.Match[str]) -> str:
    text = match.string
    start, end = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.end())
    beside = text[start : match.start()] + text[match.end() : end if end >= 0 else len(text)]
    if "|" not in tex or "|" not in beside or r"\begin" in tex:
        return tex
    return tex.replace(r"\|", r"\Vert{}").replace("|", r"\vert{}")


def read_equation(display: bool, tex: str) -> Node:
    """Returns the node of a formula. A LaTeX label that is none of ours still asks for a number."""
    found = LABEL.search(tex)
    label = found[1] if found and re.fullmatch(r"eq:[a-z0-9-]+", found[1]) else ""
    content = {
        "tex": LABEL.sub("", tex).strip(),
        "display": display,
        "label": label,
        "named": found[1] if found else "",
    }
    return {"t": "Equation", "c": {**content, "numbered": bool(found) and display}}


def settle_equations(fragments: Sequence[Fragment]) -> None:
    r"""Writes out the commands that a notebook's formulas define, and leads `\ref` and `\eqref` to their equations.

    What only defines commands goes. A LaTeX label counts within its notebook, as in Jupyter.
    """
    labels: dict[str, str] = {}
    equations = [(fragment, node["c"]) for fragment in fragments for node in each_node(fragment.tree)
                 if node["t"] == "Equation"]  # fmt: skip
    for fragment, content in equations:
        named = content.get("named")
        if named and content["numbered"] and not fragment.inline and named not in labels:
            given = f"eq:{slug_of(fragment.origin.notebook)}-{slug_of(named)}-{len(labels) + 1}"
            content["label"] = labels[named] = content["label"] or given
    written = _write_out(dict.fromkeys(content["tex"] for _, content in equations))
    for fragment in fragments:
        fragment.tree = map_lists(
            fragment.tree, lambda nodes: [new for node in nodes for new in _settle(node, written, labels)]
        )


def _settle(node: Node, written: Mapping[str, str], labels: Mapping[str, str]) -> list[Node]:
    if node["t"] == "Str" and "ref{" in node["c"]:
        return _refer(node["c"], labels)
    if node["t"] != "Equation":
        return [node]
    content = node["c"]
    if _REFERRED.fullmatch(content["tex"]):
        (found,) = _refer(content["tex"], labels)
        return [node] if found["t"] == "Str" else [found]
    tex = written[content["tex"]]
    return [] if content["tex"] and not tex else [{"t": "Equation", "c": {**content, "tex": tex}}]


def _refer(text: str, labels: Mapping[str, str]) -> list[Node]:
    nodes, end = [], 0
    for match in _REFERRED.finditer(text):
        if match[2] in labels:
            nodes += [string(text[end : match.start()])] if text[end : match.start()] else []
            nodes.append({"t": "Reference", "c": {"labels": [labels[match[2]]], "form": match[1]}})
            end = match.end()
    return nodes + ([string(text[end:])] if text[end:] else [])


def _write_out(formulas: Iterable[str]) -> dict[str, str]:
    """Returns formulas without definitions, and with the commands written out that any of them defines.

    pandoc knows commands when it reads LaTeX, not CommonMark, so it reads the formulas again, below all definitions.
    """
    found = (match for tex in (_OF_MATHJAX, *formulas) for match in _DEFINITION.finditer(tex))
    definitions = {match["braced"] or match["name"]: match[0] for match in found}
    written = {tex: _DEFINITION.sub("", tex).strip() for tex in formulas}
    using = [tex for tex, plain in written.items() if not definitions.keys().isdisjoint(_COMMAND.findall(plain))]

    def convert(batch: Sequence[str], _: float) -> list[str]:
        pieces = [*definitions.values(), *(f"${written[tex]}$".replace(r"\tag*", r"\tag") for tex in batch)]
        answer = pandoc.run_pandoc("\n\n".join(pieces), "latex", "json", seconds=_SECONDS)
        lines = [node["c"] for node in pandoc.load_blocks(answer)]
        if len(lines) != len(batch) or not all(len(line) == 1 and line[0]["t"] == "Math" for line in lines):
            raise pandoc.PandocError("formulas cannot be told apart")
        return [line[0]["c"][1] for line in lines]

    return written | dict(zip(using, pandoc.in_batches(using, convert, written.__getitem__), strict=True))
