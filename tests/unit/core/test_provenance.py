from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from scenebook.core.provenance import find_graphics_cards, library_versions

TOOL = """#!/bin/sh
echo "0, GPU-aa11, NVIDIA A100"
echo "1, GPU-bb22, NVIDIA A100"
echo "2, GPU-cc33, NVIDIA L4"
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver's tool that knows of three cards, and a package of the extra `cuda`."""
    (tmp_path / "nvidia-smi").write_text(TOOL, encoding="utf-8")
    (tmp_path / "nvidia-smi").chmod(0o755)
    (tmp_path / "nvidia_cudnn_cu12-9.0.dist-info").mkdir()
    (tmp_path / "nvidia_cudnn_cu12-9.0.dist-info" / "METADATA").write_text("Name: nvidia-cudnn-cu12\n")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("visible", "numbers", "names"),
    [
        (None, ["0", "1", "2"], "NVIDIA A100, NVIDIA L4"),
        ("1,0", ["1", "0"], "NVIDIA A100"),
        ("GPU-cc", ["GPU-cc"], "NVIDIA L4"),
        ("-1", [], None),
        ("", [], None),
    ],
)
def test_versions_name_the_cards_that_a_process_may_use(
    visible: str | None, numbers: list[str], names: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert list(find_graphics_cards()) == numbers
    assert library_versions().get("GPU") == names


@pytest.mark.usefixtures("machine")
def test_each_worker_of_this_machine_has_a_card_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from scenebook.study.cluster import open_cluster

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
    with open_cluster(None, tasks=5, task_gb=0.01) as cluster:
        seen = cluster.client.run(os.getenv, "CUDA_VISIBLE_DEVICES")
    assert sorted(seen.values()) == ["0", "2"]


@pytest.mark.usefixtures("machine")
def test_without_the_extra_there_are_none(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "nvidia_cudnn_cu12-9.0.dist-info")
    assert "GPU" not in library_versions()
