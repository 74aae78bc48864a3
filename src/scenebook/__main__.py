"""`python -m scenebook`."""

import os
import sys


def start() -> int:
    """Runs the command that was typed, in an environment of its own, and returns its exit code."""
    # Of a stream that is closed, the next file that is opened takes the place, and what is told is written into it.
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdout, sys.stderr = (it or os.fdopen(n, "w") for n, it in enumerate((sys.stdout, sys.stderr), start=1))
    try:
        os.getcwd()
    except FileNotFoundError:
        print("error: The folder that this command was typed in is gone. Change to another one.", file=sys.stderr)
        return 2
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
