"""Names in libraries that give more than their arguments say: clocks, files, random numbers, the surroundings."""

from __future__ import annotations

_MODULES = frozenset(
    {"datetime", "glob", "importlib", "io", "os", "pathlib", "pickle", "random", "secrets", "shutil", "socket"}
    | {"subprocess", "tempfile", "time", "urllib", "requests", "http"}
)
_BUILT_IN = frozenset({"eval", "exec", "globals", "input", "locals", "open", "vars", "__import__", "breakpoint"})
_READING = (
    *("fromfile", "from_file", "from_pretrained", "genfromtxt", "get_file", "image_dataset", "imread", "list_files"),
    *("load", "memmap", "open", "read", "TFRecord"),
)
"""How the names of functions begin that read files."""


def depends_on_outside(module: str, qualname: str) -> bool:
    """Returns whether what a library's function or class gives is in no digest of its name and arguments.

    Args:
        module: The name of its module.
        qualname: Its own name within it.
    """
    if module in ("builtins", "_io") and qualname in _BUILT_IN:
        return True
    if module.partition(".")[0] in _MODULES or module.startswith("numpy.random"):
        return True
    return qualname.rpartition(".")[2].startswith(_READING)
