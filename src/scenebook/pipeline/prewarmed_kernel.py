"""A process that imports libraries, waits until a notebook's turn comes, and then is its kernel.

Started by `prewarming`, with the names of the modules as arguments. One line of JSON on its standard input says what
kind of kernel it is to be; if the input ends before, so does the process.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from contextlib import suppress

if __name__ == "__main__":
    for name in (*sys.argv[1:], "ipykernel.kernelapp"):
        with suppress(Exception):  # the notebook's own import tells
            importlib.import_module(name)
    line = sys.stdin.readline()
    if not line:
        sys.exit()
    order = json.loads(line)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    sys.argv = order["arguments"]
    # As for `python -m ipykernel_launcher`, the notebook's folder is not looked into by what the kernel itself imports.
    sys.path = [folder for folder in sys.path if folder not in ("", order["folder"])]

    from ipykernel import kernelapp

    kernelapp.launch_new_instance()
