"""What a process that computes finds in its environment: kernels of notebooks, and workers of a sweep."""

from __future__ import annotations

import os

THREADS = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)
"""What libraries read, when they are imported, to know how many threads they may use."""


def compute_environment(threads: int | None = None) -> dict[str, str]:
    """Returns the environment variables for a process that trains; what the user has set is not in it.

    Training with a large head takes and gives back arrays of hundreds of megabytes at every step. With glibc's ordinary
    pages of 4 kB most of that time is spent on page faults; with huge pages (`glibc.malloc.hugetlb=1`, which other
    systems ignore) it is not. The numbers are the same.
    Each library may use so many `threads`; `None`: as many as there are cores.
    """
    values = {
        # TensorFlow's C++ notes of its start are for nobody.
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        # Stages run side by side; without this, the first takes all memory of a graphics card.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
    chosen = {name: value for name, value in values.items() if name not in os.environ}
    return chosen | ({} if threads is None else dict.fromkeys(THREADS, str(max(1, threads))))
