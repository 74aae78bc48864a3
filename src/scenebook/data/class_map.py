"""The class map: which class a folder's name stands for. Several folders may become one class, others be left out."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from scenebook.core.errors import DatasetError
from scenebook.data.user_tables import Row, raise_at, read_rows

THE_REST = "*"
MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class ClassMap:
    """What a class map says.

    Attributes:
        file: Where it was read from; `None` for the map that changes nothing.
        classes: The class of each name; `None` leaves it out. The name `*` stands for all that are not named.
        lines: The line of each name.
    """

    file: Path | None = None
    classes: dict[str, str | None] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path | str | None) -> ClassMap:
        """Reads a YAML file of `folder: class` lines, or a CSV file with the columns folder and class.

        `null` in YAML, an empty cell in CSV, leaves a folder out.

        Raises:
            DatasetError: The file cannot be read, or a line of it is wrong; the error names it.
        """
        if file is None:
            return cls()
        file = Path(file)
        classes: dict[str, str | None] = {}
        lines: dict[str, int] = {}
        for line, name, label in _read_csv(file) if file.suffix.lower() == ".csv" else _read_yaml(file):
            if name in classes:
                raise_at(file, line, "Expected each name once.", received={"name": name, "first on line": lines[name]})
            if name == THE_REST and label is not None:
                expected = f"Expected null for {THE_REST}: what is not named is left out."
                raise_at(file, line, expected, received={"class": label})
            classes[name], lines[name] = label, line
        return cls(file, classes, lines)

    def class_of(self, name: str) -> str | None:
        """Returns the class that a folder's name stands for, or `None` where it is left out."""
        return self.classes.get(name, None if THE_REST in self.classes else name)

    def check(self, names: Collection[str]) -> None:
        """Raises `DatasetError` where the map names what is not among `names`."""
        for name in self.classes:
            if name != THE_REST and name not in names:
                near = difflib.get_close_matches(name, sorted(names), n=3, cutoff=0.5)
                known = ", ".join(sorted(names)[:10])
                assert self.file is not None
                raise_at(
                    self.file,
                    self.lines[name],
                    "Expected the class map to name folders, or labels, of the data set.",
                    received={"name": name},
                    advice=f"Did you mean {' or '.join(near)}?" if near else f"There are: {known}.",
                )


def _read_csv(file: Path) -> Iterator[tuple[int, str, str | None]]:
    row: Row
    for row in read_rows(file, required=("folder", "class")):
        yield row.line, row.cells["folder"], row.cells["class"].strip() or None


def _read_yaml(file: Path) -> Iterator[tuple[int, str, str | None]]:
    """Yields the entries as they are written: `007` and `no` are names of folders, no numbers or truth values."""
    try:
        if file.stat().st_size > MAX_BYTES:
            raise DatasetError("Expected a class map of at most a megabyte.", received={"class_map": str(file)})
        root = yaml.compose(file.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            "Expected a readable class map in UTF-8.", received={"class_map": str(file)}, advice=f"{error}."
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise DatasetError(
            "Expected a class map in YAML.", received={"class_map": str(file)}, advice=" ".join(str(error).split())
        ) from None
    if not isinstance(root, yaml.MappingNode):
        raise DatasetError("Expected a class map of `folder: class` lines.", received={"class_map": str(file)})
    for key, value in root.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            raise_at(file, line, "Expected a class map of `folder: class` lines.")
        if value.tag.endswith(":null"):
            yield line, key.value, None
        elif not value.value.strip():
            raise_at(file, line, "Expected a class's name, or null to leave the folder out.")
        else:
            yield line, key.value, value.value
