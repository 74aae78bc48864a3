r"""Formulas in Markdown, as Jupyter shows them: where they begin and end, `\newcommand`, `\tag` and `\ref`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from scenebook.rendering.document import Fragment
from scenebook.rendering.numbering import slug_of
from scenebook.rendering.pandoc import Node, each_node, map_lists, string

LABEL = re.compile(r"\\label\s*\{([^{}]*)\}")
LONGEST = 20_000
"""Characters of a formula whose commands are written out: a few short ones may stand for any number."""
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
_ARGUMENT = re.compile(rf"\s*({_GROUP}|\\[a-zA-Z]+|\\?[^\s{{}}\\])")
_DEFINITION = re.compile(
    r"\\(?:(?:re|provide)?newcommand\*?|DeclareMathOperator(?P<operator>\*?)|def)\s*(?:\{\s*\\(?P<braced>[a-zA-Z]+)\s*\}|"
    rf"\\(?P<name>[a-zA-Z]+))\s*(?:\[(?P<count>\d)\]|(?P<numbers>(?:#\d)*))\s*(?P<body>{_GROUP})"
)
_COMMAND = re.compile(r"\\([a-zA-Z]+)\*?")
_REFERRED = re.compile(r"\\(eqref|ref)\{([^{}]{1,200})\}")
Commands = dict[str, tuple[int, str]]
"""By name: how many arguments a command takes, and what it stands for."""
_OF_MATHJAX: Commands = {
    "LaTeX": (0, r"\text{LaTeX}"), "TeX": (0, r"\text{TeX}"), "degree": (0, r"^\circ"), "notag": (0, ""),
    "nonumber": (0, ""), "require": (1, ""), "tag": (1, r"\qquad\text{(#1)}"), "mathbbm": (1, r"\mathbb{#1}"),
    "ce": (1, r"\mathrm{#1}"), "textcolor": (2, "{#2}"), "href": (2, "{#2}"), "class": (2, "{#2}"),
}  # fmt: skip
"""What Jupyter shows and pandoc does not know. Colours and links of a formula go."""


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
    commands, labels = dict(_OF_MATHJAX), dict[str, str]()
    equations = [(fragment, node["c"]) for fragment in fragments for node in each_node(fragment.tree)
                 if node["t"] == "Equation"]  # fmt: skip
    for fragment, content in equations:
        commands |= dict(_definitions(content["tex"]))
        named = content.get("named")
        if named and content["numbered"] and not fragment.inline and named not in labels:
            given = f"eq:{slug_of(fragment.origin.notebook)}-{slug_of(named)}-{len(labels) + 1}"
            content["label"] = labels[named] = content["label"] or given
    for fragment in fragments:
        fragment.tree = map_lists(
            fragment.tree, lambda nodes: [new for node in nodes for new in _settle(node, commands, labels)]
        )


def _settle(node: Node, commands: Commands, labels: Mapping[str, str]) -> list[Node]:
    if node["t"] == "Str" and "ref{" in node["c"]:
        return _refer(node["c"], labels)
    if node["t"] != "Equation":
        return [node]
    content = node["c"]
    if _REFERRED.fullmatch(content["tex"]):
        (found,) = _refer(content["tex"], labels)
        return [node] if found["t"] == "Str" else [found]
    defines = _DEFINITION.search(content["tex"]) is not None
    tex = expand(_DEFINITION.sub("", content["tex"]), commands).strip()
    return [] if defines and not tex else [{"t": "Equation", "c": {**content, "tex": tex}}]


def _refer(text: str, labels: Mapping[str, str]) -> list[Node]:
    nodes, end = [], 0
    for match in _REFERRED.finditer(text):
        if match[2] in labels:
            nodes += [string(text[end : match.start()])] if text[end : match.start()] else []
            nodes.append({"t": "Reference", "c": {"labels": [labels[match[2]]], "form": match[1]}})
            end = match.end()
    return nodes + ([string(text[end:])] if text[end:] else [])


def _definitions(tex: str) -> Iterator[tuple[str, tuple[int, str]]]:
    for match in _DEFINITION.finditer(tex):
        body = match["body"][1:-1]
        count = int(match["count"] or 0) or len(match["numbers"] or "") // 2
        if match["operator"] is not None:
            body = rf"\operatorname{match['operator']}{{{body}}}"
        yield match["braced"] or match["name"], (count, body)


def expand(tex: str, commands: Commands) -> str:
    r"""Writes out commands in a formula; one that stands for itself, or for too much, stays.

    Examples:
        >>> expand(r"\E[x]", {"E": (0, r"\mathbb{E}")})
        '\\mathbb{E}[x]'
    """
    written = tex
    for _ in range(10):
        before = written
        written = _expand_once(written, commands)
        if written == before:
            return written
        if len(written) > LONGEST:
            break
    return tex


def _expand_once(tex: str, commands: Commands) -> str:
    parts: list[str] = []
    end = size = 0
    for match in _COMMAND.finditer(tex):
        known = commands.get(match[1])
        if match.start() < end or known is None:
            continue
        place, arguments = match.end() if match[1] == "tag" else match.start() + 1 + len(match[1]), [""]
        while len(arguments) <= known[0] and (found := _ARGUMENT.match(tex, place)) is not None:
            arguments.append(found[1][1:-1] if found[1].startswith("{") else found[1])
            place = found.end()
        if len(arguments) > known[0]:
            body = _fill(known[1], arguments)
            # A letter behind it would become part of the name of the body's last command.
            parts += [tex[end : match.start()], body, " " * (place < len(tex) and tex[place].isalpha())]
            end, size = place, size + len(body)
        if size > LONGEST:
            break
    return "".join([*parts, tex[end:]])


def _fill(body: str, arguments: Sequence[str]) -> str:
    return re.sub(r"#([1-9])", lambda number: "".join(arguments[int(number[1]) : int(number[1]) + 1]), body)
