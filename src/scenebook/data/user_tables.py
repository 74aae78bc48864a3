"""Small CSV files that people write by hand or with a spreadsheet: read row by row, with errors that name the line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from scenebook.core.errors import DatasetError

DELIMITERS = ",;\t"
MAX_BYTES = 500_000_000


class Row(NamedTuple):
    """A row of a table: the line on which it ends, counted from 1, and its cells by column."""

    line: int
    cells: dict[str, str]


def read_rows(path: Path, *, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """Yields the rows of a CSV file with a header. Comma, semicolon and tab are understood, and a byte order mark.

    Bytes that are no UTF-8 come as surrogate escapes: they may belong to the name of a file.

    Args:
        path: The file.
        required: Columns that must be there; others than these and `optional` are passed over.
        optional: Columns that may be there.

    Raises:
        DatasetError: The file cannot be read, is in UTF-16, lacks a column, has one twice, or has a row with another
            number of cells than the header.
    """
    text = _read_text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_find_delimiter(text), strict=True)
    header: list[str] | None = None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _check_header(path, [cell.strip().lower() for cell in cells], required, optional)
            elif len(cells) != len(header):
                raise_at(
                    path,
                    reader.line_num,
                    f"Expected {len(header)} cells in every row, as in the header.",
                    received={"cells": len(cells)},
                    advice='A text that holds the delimiter or a line break stands in quotes: "a, b".',
                )
            else:
                row = dict(zip(header, cells, strict=True))
                yield Row(reader.line_num, {name: row[name] for name in (*required, *optional) if name in row})
    except csv.Error as error:
        raise_at(path, reader.line_num, "Expected a table of comma-separated values.", advice=f"{error}.")
    if header is None:
        _check_header(path, [], required, optional)


def raise_at(
    path: Path, line: int, expected: str, *, received: dict[str, object] | None = None, advice: str = ""
) -> NoReturn:
    """Raises a `DatasetError` that names the file and the line."""
    raise DatasetError(expected, received={"file": str(path), "line": line, **(received or {})}, advice=advice)


def has_escapes(text: str) -> bool:
    """Tells whether a text holds bytes that are no UTF-8."""
    return any("\udc80" <= char <= "\udcff" for char in text)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DatasetError(
            "Expected a readable CSV file.", received={"file": str(path)}, advice=error.strerror or ""
        ) from None
    if len(content) > MAX_BYTES:
        raise DatasetError(f"Expected a CSV file of at most {MAX_BYTES:,} bytes.", received={"file": str(path)})
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:4096]:
        raise DatasetError(
            "Expected a CSV file in UTF-8.",
            received={"file": str(path), "encoding": "UTF-16 or binary"},
            advice="Save it again as “CSV UTF-8”.",
        )
    return content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def _find_delimiter(text: str) -> str:
    """Returns the delimiter that the header uses: the first line that holds anything."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(DELIMITERS, key=header.count)


def _check_header(path: Path, header: list[str], required: Sequence[str], optional: Sequence[str]) -> list[str]:
    missing = [name for name in required if name not in header]
    twice = [name for name in (*required, *optional) if header.count(name) > 1]
    if missing or twice:
        raise DatasetError(
            f"Expected a CSV file with the columns {', '.join(required)}"
            + (f" and, if wanted, {', '.join(optional)}" if optional else "")
            + (", each once." if twice else "."),
            received={"file": str(path), "header": header[:10]},
            advice="The first line names the columns, with a comma, a semicolon or a tab between them.",
        )
    return header
