"""The error stream of the process, held back while libraries start."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from scenebook.core.errors import ScenebookError


@contextmanager
def hold_error_stream() -> Iterator[None]:
    """Holds back what is written to the process's error stream, by C++ libraries too, and shows it if they fail.

    TensorFlow writes notes on processors and missing GPUs there before its log level counts.
    """
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        failed = False
        try:
            yield
        except Exception as error:
            failed = not isinstance(error, ScenebookError)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
            if failed:
                held.seek(0)
                os.write(2, held.read())
