from __future__ import annotations

import numpy as np
import pandas as pd

from scenebook.notebook.prose.training import tell_history_alt


def test_the_description_of_a_history_tells_the_trend_and_the_best_epoch() -> None:
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "loss": [0.9, 0.5, 0.4],
            "val_loss": [0.8, 0.6, 0.7],
            "accuracy": [0.5, 0.7, 0.8],
            "val_accuracy": [0.7, 0.8, 0.6],
        }
    )
    assert tell_history_alt(history, "loss") == (
        "3 epochs. Training loss falls from 0.900 to 0.400, is lowest in epoch 3 (0.400) and never rises. "
        "Validation loss falls from 0.800 to 0.700, is lowest in epoch 2 (0.600) and rises again in 1 of 2 steps."
    )
    assert tell_history_alt(history, "accuracy").endswith(
        "Validation accuracy falls from 0.700 to 0.600, is highest in epoch 2 (0.800) and falls again in 1 of 2 steps."
    )
    assert tell_history_alt(history[:1], "loss") == ("1 epoch. Training loss is 0.900. Validation loss is 0.800.")
    assert tell_history_alt(history.assign(val_loss=np.nan), "loss").endswith("Validation loss has no values.")
