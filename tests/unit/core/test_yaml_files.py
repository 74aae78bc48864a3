from __future__ import annotations

from pathlib import Path

import pytest

from scenebook.core.errors import InputError
from scenebook.core.yaml_files import MAX_YAML_BYTES, dump_yaml, parse_scalar, read_yaml

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
    file = read_yaml(write(tmp_path, TEXT), "test file")
    assert file.content["list"][1]["deep"]["y"] == 2
    assert file.find_line(location) == line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", r"every key of the test file once.*key='c', line=4, first in line=3"),
        ("a: {c: 1, c: 2}\n", "first in line=1"),
        ("a: 1\nb: [1, 2\n", "a test file in YAML: .*line=3"),
        ("a: !!python/object/apply:os.system [ls]\n", r"could not determine a constructor.*line=1"),
        ("a: *nowhere\n", "undefined alias"),
        ("a: " + "[" * 5000, "in YAML"),
        ("x" * (MAX_YAML_BYTES + 1), "at most 1,000,000 bytes"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_yaml(write(tmp_path, text), "test file")


def test_a_list_within_itself_ends(tmp_path: Path) -> None:
    content = read_yaml(write(tmp_path, "a: &a [*a]\n"), "test file").content
    assert content["a"][0] is content["a"]


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a readable test file in UTF-8"):
        read_yaml(tmp_path / "none.yaml", "test file")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    with pytest.raises(InputError, match="a readable test file in UTF-8"):
        read_yaml(tmp_path / "latin.yaml", "test file")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 0.0001),
        ("1.5e7", 1.5e7),
        ("3", 3),
        ("true", True),
        ("null", None),
        ("2024-99-99", "2024-99-99"),
        ("[", "["),
    ],
)
def test_a_scalar_is_read_as_what_it_means(text: str, value: object) -> None:
    assert parse_scalar(text) == value
    assert type(parse_scalar(text)) is type(value)


def test_what_is_written_is_read_as_the_same(tmp_path: Path) -> None:
    values = {
        "epochs": 3,
        "learning_rate": 1e-4,
        "samples_dir": "1e5",
        "class_map": None,
        "dataset": "b\u00e9",
        "flip": True,
    }
    assert read_yaml(write(tmp_path, dump_yaml(values)), "test file").content == values


def test_names_stay_texts_where_that_is_asked_for(tmp_path: Path) -> None:
    file = read_yaml(write(tmp_path, "no: yes\n007: 1e-4\n2024-99-99: null\n"), "test file", as_text=True)
    assert file.content == {"no": "yes", "007": "1e-4", "2024-99-99": None}


def test_references_can_be_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no references to other places.*line=2"):
        read_yaml(write(tmp_path, "a: &a {x: 1}\n<<: *a\n"), "test file", references=False)
