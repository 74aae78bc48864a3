from __future__ import annotations

from pathlib import Path

import pytest

from scenebook.cli import main
from scenebook.core.errors import ReportError, SettingsError
from scenebook.core.project import project_root
from scenebook.core.settings import make_settings
from scenebook.pipeline.checks import resolve_paths
from scenebook.rendering.report import check_before_run

WRONG = """\
paper: {title: Cats}
claims:
  - {id: accuracy, statement: s, where: w, reported: 1, expect: {kind: near}}
"""
CITING = """\
paper: {title: Cats, source: cats2020}
claims:
  - {id: accuracy, statement: s, where: w, reported: 1}
"""


def test_a_claims_file_is_found_from_where_the_command_was_typed(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(CITING, encoding="utf-8")
    settings = resolve_paths(make_settings({"claims_file": "mine.yaml"}), tmp_path)
    assert settings.claims_file == str((tmp_path / "mine.yaml").resolve())


def test_a_claims_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Expected claims_file to be an existing file\..*none\.yaml"):
        resolve_paths(make_settings({"claims_file": "none.yaml"}), tmp_path)


@pytest.mark.parametrize("command", ["report", "run"])
def test_a_wrong_claim_stops_the_command_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setenv("SCENEBOOK_RUNS", str(tmp_path / "runs"))
    (tmp_path / "mine.yaml").write_text(WRONG, encoding="utf-8")
    assert main([command, "--set", f"claims_file={tmp_path / 'mine.yaml'}"]) == 2
    said = capsys.readouterr().err
    assert "claim accuracy: expect.kind" in said
    assert "line=3" in said
    assert "Traceback" not in said
    assert not (tmp_path / "runs").exists()


def test_a_work_that_the_claims_cite_must_be_in_the_bibliography(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCENEBOOK_RUNS", str(tmp_path / "runs"))
    (tmp_path / "mine.yaml").write_text(CITING, encoding="utf-8")
    assert main(["report", "--set", f"claims_file={tmp_path / 'mine.yaml'}"]) == 2
    said = capsys.readouterr().err
    assert "a work that is in the bibliography" in said
    assert "cats2020" in said
    assert "file='mine.yaml', entry='paper.source', line=1" in said
    assert not (tmp_path / "runs").exists()


def test_works_are_named_with_their_file() -> None:
    front = project_root() / "report" / "front-matter.yaml"
    check_before_run(front, [], [("he2016", {"file": "mine.yaml"})])
    with pytest.raises(ReportError, match=r"file='mine\.yaml'.*Did you mean \[@he2016\]"):
        check_before_run(front, [], [("he2015", {"file": "mine.yaml"})])
