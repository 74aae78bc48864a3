from __future__ import annotations

from scenebook.notebook.prose.training import tell_cut


def test_the_sentence_on_the_cut_tells_of_layers_that_would_drop_and_of_an_empty_cut() -> None:
    assert "{stochastic}" in tell_cut(tensors=1, stochastic=1, empty=False, kept=True)
    plain = tell_cut(tensors=2, stochastic=0, empty=False, kept=False)
    assert "{stochastic}" not in plain
    assert "cache" not in plain
    assert "{numbers" not in tell_cut(tensors=1, stochastic=0, empty=True, kept=True)
