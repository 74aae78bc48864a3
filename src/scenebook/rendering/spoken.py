"""Equations in words, for readers who listen: common constructs only; any other equation stays TeX."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\d+(?:\.\d+)?|\S", re.DOTALL)
_GREEK = re.findall(
    r"\w+",
    """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi
    omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega""",
)
_FUNCTIONS = re.findall(r"\w+", "exp log ln sin cos tan sinh cosh tanh max min arg det dim gcd inf sup lim Pr")
_WORDS = {
    **{name: name if name.islower() else f"capital {name.lower()}" for name in _GREEK},
    "varepsilon": "epsilon", "vartheta": "theta", "varphi": "phi", "varsigma": "sigma", "varrho": "rho", "ell": "l",
    **{name: name for name in _FUNCTIONS},
    "cdot": "times", "times": "times", "div": "divided by", "pm": "plus or minus", "mp": "minus or plus", "ast": "star",
    "circ": "composed with", "odot": "element-wise times", "oplus": "circled plus", "otimes": "tensor times",
    "le": "is at most", "leq": "is at most", "ge": "is at least", "geq": "is at least", "lt": "is less than",
    "gt": "is greater than", "ne": "is not equal to", "neq": "is not equal to", "approx": "is about",
    "equiv": "is identical to", "sim": "is distributed as", "propto": "is proportional to", "ll": "is much less than",
    "gg": "is much greater than", "in": "in", "notin": "not in", "subset": "is a subset of",
    "subseteq": "is a subset of or equal to", "cup": "union", "cap": "intersection", "setminus": "without",
    "emptyset": "the empty set", "to": "to", "rightarrow": "to", "mapsto": "maps to", "leftarrow": "becomes",
    "gets": "becomes", "Rightarrow": "implies", "implies": "implies", "iff": "if and only if", "mid": "given",
    "forall": "for all", "exists": "there is", "neg": "not", "land": "and", "lor": "or", "infty": "infinity",
    "partial": "partial", "nabla": "gradient of", "dots": "and so on", "ldots": "and so on", "cdots": "and so on",
    "top": "transposed", "prime": "prime", "lfloor": "floor of", "rfloor": "", "lceil": "ceiling of", "rceil": "",
    "langle": "(", "rangle": ")", "lVert": "norm of", "rVert": "", "lvert": "|", "rvert": "|", "Vert": "‖",
    "quad": "", "qquad": "", ",": "", ";": "", ":": "", "!": "", " ": "", "%": "percent", "{": "{", "}": "}",
    "_": "_", "#": "#", "$": "$", "&": "and", "displaystyle": "", "textstyle": "", "limits": "", "nonumber": "",
}  # fmt: skip
_SIGNS = {
    "+": "plus", "-": "minus", "−": "minus", "=": "equals", "<": "is less than", ">": "is greater than", "*": "star",
    "/": "divided by", "~": "", "&": "", "'": "prime",
}  # fmt: skip
_LARGE = {"sum": "sum", "prod": "product", "int": "integral", "bigcup": "union", "bigcap": "intersection"}
_LIMITED = frozenset({"max", "min", "lim", "sup", "inf", "arg"})
_ACCENTS = {"hat": "hat", "widehat": "hat", "bar": "bar", "overline": "bar", "tilde": "tilde", "widetilde": "tilde",
            "dot": "dot", "vec": "vector"}  # fmt: skip
_STYLES = frozenset(
    {"mathbf", "mathrm", "mathit", "mathcal", "mathbb", "mathsf", "mathtt", "boldsymbol", "bm", "mathbin"}
)
_TEXTS = frozenset({"text", "textrm", "textbf", "textit", "operatorname", "operatorname*", "mbox"})
_SIZES = frozenset({"left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "middle"})
_ROWS = frozenset({"align", "align*", "aligned", "equation", "equation*", "gather", "gather*", "gathered", "split"})
_POWERS = {
    "2": "squared",
    "3": "cubed",
    "T": "transposed",
    "transposed": "transposed",
    "prime": "prime",
    "star": "star",
}


class _NotSpoken(Exception):
    """The formula holds something that has no words here."""


def speak(tex: str) -> str:
    r"""Returns an equation in words: `\frac{a}{b}` as "a over b". One with a construct that is not known stays TeX.

    Args:
        tex: The source, without dollar signs.
    """
    try:
        words = _Reader(tex).read_all()
    except (_NotSpoken, IndexError, RecursionError):
        return tex
    return re.sub(r" +([,.;:)])", r"\1", words.replace("( ", "(")).strip(" ,.;") or tex


def _closed(words: str, part: str) -> str:
    """Says where a part of several words ends: a listener sees no line above it."""
    return f"{words}, end of {part}," if " " in words else words


class _Reader:
    """Reads TeX from left to right, one argument at a time."""

    def __init__(self, tex: str) -> None:
        tex = re.sub(r"\\label\{[^{}]*\}", "", tex)
        # Text keeps its spaces: what stands in \text{...} is one token.
        self._kept: list[str] = []
        names = "|".join(re.escape(name) for name in sorted(_TEXTS, key=len, reverse=True))
        tex = re.sub(rf"\\(?:{names})\s*\{{([^{{}}$\\]*)\}}", self._keep, tex)
        self._tokens = _TOKEN.findall(tex)
        self._at = 0

    def _keep(self, found: re.Match[str]) -> str:
        self._kept.append(" ".join(found[1].split()))
        return f" \\kept{'x' * len(self._kept)} "

    def read_all(self) -> str:
        words = self._read_until(None)
        if self._at < len(self._tokens):
            raise _NotSpoken
        return words

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _read_until(self, end: str | None) -> str:
        parts: list[str] = []
        while self._at < len(self._tokens):
            if self._peek() == "}":
                if end != "}":
                    raise _NotSpoken
                break
            if self._peek() == end:
                break
            parts.append(self._read_term())
        return " ".join(part for part in parts if part)

    def _read_term(self) -> str:
        """Reads one thing with what is written below and above it."""
        token = self._next()
        name = token[1:] if token.startswith("\\") else ""
        if name in _LARGE:
            return f"{_LARGE[name]} {self._read_limits()}of".replace("  ", " ")
        words = self._read_thing(token, name)
        limited = name in _LIMITED
        while self._peek() in ("_", "^", "'"):
            sign = self._next()
            if sign == "'":
                words += " prime"
            elif sign == "_":
                below = self._read_argument()
                words += f" over {below}" if limited else f" sub {_closed(below, 'subscript')}"
            else:
                power = self._read_argument()
                words += " " + _POWERS.get(power, f"to the power of {_closed(power, 'power')}")
        return words

    def _read_thing(self, token: str, name: str) -> str:
        if token == "{":
            words = self._read_until("}")
            self._expect("}")
            return words
        if not name:
            return _SIGNS.get(token, token)
        if name in ("frac", "dfrac", "tfrac"):
            above, below = self._read_argument(), self._read_argument()
            if " " in above or " " in below:
                return f"the fraction {_closed(f'{above} over {below}', 'fraction')}"
            return f"{above} over {below}"
        if name == "sqrt":
            return self._read_root()
        if name.startswith("kept") and set(name[4:]) == {"x"}:
            return self._kept[len(name) - 5]
        return self._read_command(name)

    def _read_command(self, name: str) -> str:
        if name in _ACCENTS:
            inner = self._read_argument()
            return f"vector {inner}" if name == "vec" else f"{inner} {_ACCENTS[name]}"
        if name in _STYLES:
            return self._read_argument()
        if name in _SIZES:
            if self._peek() == ".":  # \right. is a side without a sign
                self._next()
            return ""
        if name in ("begin", "end"):
            return self._read_environment()
        if name == "\\":
            return ","
        if name in _WORDS:
            return _WORDS[name]
        raise _NotSpoken

    def _read_environment(self) -> str:
        self._expect("{")
        name = ""
        while self._peek() != "}":
            name += self._next()
        self._expect("}")
        if name not in _ROWS:
            raise _NotSpoken
        return ""

    def _read_root(self) -> str:
        if self._peek() != "[":
            return f"the square root of {_closed(self._read_argument(), 'root')}"
        self._next()
        degree = self._read_until("]")
        self._expect("]")
        return f"the root of degree {degree} of {_closed(self._read_argument(), 'root')}"

    def _read_limits(self) -> str:
        low = high = ""
        while self._peek() in ("_", "^", "\\limits"):
            sign = self._next()
            if sign == "_":
                low = self._read_argument()
            elif sign == "^":
                high = self._read_argument()
        if low and high:
            return f"from {low} to {high} "
        return f"over {low} " if low else f"to {high} " if high else ""

    def _read_argument(self) -> str:
        token = self._next()
        if token[0].isdigit() and len(token) > 1:  # without braces TeX takes one digit
            self._at -= 1
            self._tokens[self._at], token = token[1:], token[0]
        return self._read_thing(token, token[1:] if token.startswith("\\") else "")

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise _NotSpoken
