"""`python -m scenebook`."""

import os
import sys


def start() -> int:
    """Runs the command that was typed, in an environment of its own, and returns its exit code."""
    # What lies in the folder in which it was typed, or on PYTHONPATH, a `random.py` say, goes before any library.
    own = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    foreign = {*os.environ.get("PYTHONPATH", "").split(os.pathsep), "" if sys.flags.safe_path else sys.path[0]}
    sys.path[:] = [folder for folder in sys.path if folder not in foreign or os.path.realpath(folder) == own]
    from scenebook.core.environment import clean_process

    clean_process()
    from scenebook.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(start())
