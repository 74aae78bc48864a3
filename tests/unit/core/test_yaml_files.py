from __future__ import annotations

from pathlib import Path

import pytest

from scenebook.core.errors import InputError
from scenebook.core.yaml_files import MAX_BYTES, find_line, read_yaml

TEXT = """\
first: 1
list:
  - name: a
  - name: b
    deep: {x: 1,
           y: 2}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (("first",), 1),
        (("list", 1), 4),
        (("list", 1, "deep", "y"), 6),
        (("list", 1, "missing"), 4),
        (("list", 7, "name"), 2),
        ((), 1),
    ],
)
def test_every_entry_has_its_line(tmp_path: Path, location: tuple[int | str, ...], line: int) -> None:
    content, root = read_yaml(write(tmp_path, TEXT), "test file")
    assert content["list"][1]["deep"]["y"] == 2
    assert find_line(root, location) == line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", r"every key of the test file once.*key='c', line=4, first in line=3"),
        ("a: {c: 1, c: 2}\n", "first in line=1"),
        ("a: 1\nb: [1, 2\n", "a test file in YAML: .*line=3"),
        ("a: !!python/object/apply:os.system [ls]\n", r"could not determine a constructor.*line=1"),
        ("a: *nowhere\n", "undefined alias"),
        ("a: " + "[" * 5000, "in YAML"),
        ("x" * (MAX_BYTES + 1), "at most a megabyte"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_yaml(write(tmp_path, text), "test file")


def test_a_list_within_itself_ends(tmp_path: Path) -> None:
    content, _ = read_yaml(write(tmp_path, "a: &a [*a]\n"), "test file")
    assert content["a"][0] is content["a"]


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a readable test file in UTF-8"):
        read_yaml(tmp_path / "none.yaml", "test file")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    with pytest.raises(InputError, match="a readable test file in UTF-8"):
        read_yaml(tmp_path / "latin.yaml", "test file")
