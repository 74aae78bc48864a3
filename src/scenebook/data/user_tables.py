"""What people write by hand about their images: tables in CSV, and the class map; errors name the line.

A class map tells which class a folder's name stands for. Several folders may become one class, others be left out.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, NoReturn, TextIO

from scenebook.core.errors import DatasetError
from scenebook.core.project import expand_home
from scenebook.core.wording import tell_nearest
from scenebook.core.yaml_files import read_yaml

DELIMITERS = ",;\t"
PARQUET = ".parquet"
MAX_TABLE_BYTES = 500_000_000
THE_REST = "*"
_PART = 50_000  # rows of a Parquet file that are in memory


class Row(NamedTuple):
    """A row of a table: its file, the line on which it ends, from 1 (in Parquet, the row), and its cells by column."""

    file: Path
    line: int
    cells: dict[str, str]

    def reject(self, expected: str, received: Mapping[str, object] | None = None, *, advice: str = "") -> NoReturn:
        """Raises a `DatasetError` that names the file and the line."""
        where = {"file": str(self.file), "line": self.line}
        raise DatasetError(expected, received={**where, **(received or {})}, advice=advice)


def read_rows(path: Path, *, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """Yields the rows of a CSV file with a header, or of a Parquet file; only a few of them are in memory.

    Comma, semicolon and tab are understood, and a byte order mark. Bytes that are no UTF-8 come as surrogate escapes:
    they may belong to the name of a file. Each row has the cells of all columns, but in Parquet of those that are asked
    for; names of columns are in lower case.

    Raises:
        DatasetError: The file cannot be read, is in UTF-16, lacks a column, has one twice, or has a row with another
            number of cells than the header.
    """
    if path.suffix.lower() == PARQUET:
        yield from _read_parquet(path, required, optional)
        return
    with _open_text(path) as file:
        yield from _read_csv(path, file, required, optional)


def _read_parquet(path: Path, required: Sequence[str], optional: Sequence[str]) -> Iterator[Row]:
    import polars  # only for such lists: it takes a while to import

    try:
        table = polars.scan_parquet(path, glob=False)
        names = {name.strip().lower(): name for name in table.collect_schema().names()}
        _check_header(path, list(names), required, optional)
        columns = {name: names[name] for name in (*required, *optional) if name in names}
        binary = polars.selectors.binary()
        cells = table.select(**{name: polars.col(column) for name, column in columns.items()})
        cells = cells.with_columns((~binary).cast(polars.String))
        done = 0
        while len(part := cells.slice(done, _PART).collect()):
            done += len(part)
            for line, values in enumerate(part.iter_rows(), start=done - len(part) + 1):
                texts = (os.fsdecode(value) if isinstance(value, bytes) else value or "" for value in values)
                yield Row(path, line, dict(zip(columns, texts, strict=True)))
    except (OSError, polars.exceptions.PolarsError) as error:
        expected = "Expected a Parquet file that can be read."
        raise DatasetError(expected, received={"file": str(path)}, advice=" ".join(str(error).split())[:200]) from None


def _read_csv(path: Path, file: TextIO, required: Sequence[str], optional: Sequence[str]) -> Iterator[Row]:
    first_line = next((line for line in file if line.strip()), "")
    file.seek(0)
    delimiter = max(DELIMITERS, key=first_line.count)
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _check_header(path, [cell.strip().lower() for cell in cells], required, optional)
            elif len(cells) != len(header):
                Row(path, reader.line_num, {}).reject(
                    f"Expected {len(header)} cells in every row, as in the header.",
                    {"cells": len(cells)},
                    advice='Put a text that contains the delimiter or a line break in quotes: "a, b".',
                )
            else:
                yield Row(path, reader.line_num, dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        Row(path, reader.line_num, {}).reject("Expected a table of comma-separated values.", advice=f"{error}.")
    if header is None:
        _check_header(path, [], required, optional)


def has_escapes(text: str) -> bool:
    """Tells whether a text holds bytes that are no UTF-8."""
    return any("\udc80" <= char <= "\udcff" for char in text)


def _open_text(path: Path) -> TextIO:
    try:
        with path.open("rb") as file:
            start, size = file.read(4096), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise DatasetError(
            "Expected a readable CSV file.", received={"file": str(path)}, advice=error.strerror or ""
        ) from None
    if size > MAX_TABLE_BYTES:
        raise DatasetError(
            f"Expected a CSV file of at most {MAX_TABLE_BYTES:,} bytes.",
            received={"file": str(path)},
            advice="For predictions, a longer list may be in Parquet.",
        )
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start:
        raise DatasetError(
            "Expected a CSV file in UTF-8.",
            received={"file": str(path), "encoding": "UTF-16 or binary"},
            advice="Save it again as “CSV UTF-8”.",
        )
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _check_header(path: Path, header: list[str], required: Sequence[str], optional: Sequence[str]) -> list[str]:
    missing = [name for name in required if name not in header]
    twice = [name for name in (*required, *optional) if header.count(name) > 1]
    if missing or twice:
        raise DatasetError(
            f"Expected a table with the columns {', '.join(required)}"
            + (f" and, if wanted, {', '.join(optional)}" if optional else "")
            + (", each once." if twice else "."),
            received={"file": str(path), "header": header[:10]},
            advice="The first line names the columns, with a comma, a semicolon or a tab between them.",
        )
    return header


@dataclass(frozen=True)
class ClassMap:
    """The class of each name, `None` where it is left out, and its row; `*` stands for all that are not named."""

    classes: dict[str, str | None] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path | str | None) -> ClassMap:
        """Reads a YAML file of `folder: class` lines, or a CSV file with the columns folder and class.

        `null` in YAML, an empty cell in CSV, leaves a folder out.

        Raises:
            DatasetError: The file cannot be read, or a line of it is wrong; the error names it.
        """
        if file is None:
            return cls()
        rows: dict[str, Row] = {}
        classes: dict[str, str | None] = {}
        for row, name, label in _read_class_map(expand_home(file)):
            if name in rows:
                row.reject("Expected each name once.", {"name": name, "first on line": rows[name].line})
            if name == THE_REST and label is not None:
                row.reject(f"Expected null for {THE_REST}: what is not named is left out.", {"class": label})
            rows[name], classes[name] = row, label
        return cls(classes, rows)

    def class_of(self, name: str) -> str | None:
        """Returns the class that a folder's name stands for, or `None` where it is left out."""
        return self.classes.get(name, None if THE_REST in self.classes else name)

    def check(self, names: Collection[str]) -> None:
        """Raises `DatasetError` where the map names what is not among `names`."""
        for name, row in self.rows.items():
            if name != THE_REST and name not in names:
                known = ", ".join(sorted(names)[:10])
                row.reject(
                    "Expected the class map to name folders, or labels, of the data set.",
                    {"name": name},
                    advice=tell_nearest(name, sorted(names)).strip() or f"There are: {known}.",
                )


def _read_class_map(file: Path) -> Iterator[tuple[Row, str, str | None]]:
    """Yields the entries as they are written: `007` and `no` are names of folders, no numbers or truth values."""
    if file.suffix.lower() == ".csv":
        for row in read_rows(file, required=("folder", "class")):
            yield row, row.cells["folder"], row.cells["class"].strip() or None
        return
    tree = read_yaml(file, "class map", DatasetError, as_text=True)
    if not isinstance(tree.content, dict):
        raise DatasetError("Expected a class map of `folder: class` lines.", received={"class_map": str(file)})
    for name, label in tree.content.items():
        row = Row(file, tree.find_line((name,)), {})
        if not isinstance(name, str) or not isinstance(label, str | None):
            row.reject("Expected a class map of `folder: class` lines.")
        if label is not None and not label.strip():
            row.reject("Expected a class's name, or null to leave the folder out.")
        yield row, name, label
