"""The Word file in a program that did not write it: Debian's libreoffice-writer-nogui; without it this skips."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ..unit.rendering.conftest import pdf_text
from ..unit.rendering.test_word import render_word


def test_libreoffice_opens_the_word_file_and_shows_all_of_it(tmp_path: Path) -> None:
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("Expected LibreOffice as `soffice` on PATH.")
    word = render_word(tmp_path / "word", "whole-run").docx
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = [office, profile, "--headless", "--convert-to", "pdf", "--outdir", str(tmp_path), str(word)]
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    text = pdf_text((tmp_path / "report.pdf").read_bytes())
    for part in ("A title & <its> #sign", "A classifier for 3 classes reaches 88.2%.", "I. Introduction", "Fig. 1."):
        assert part in text.replace("\u00a0", " "), part
