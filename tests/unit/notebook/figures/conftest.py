from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """Closes what a test drew: pyplot keeps figures otherwise."""
    yield
    plt.close("all")
