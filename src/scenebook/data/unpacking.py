"""Unpacks a zip archive that somebody else made: only inside its folder, and only up to a stated size."""

from __future__ import annotations

import re
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from scenebook.core.errors import DatasetError

BLOCK_BYTES = 2**20
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1
_DRIVE = re.compile(r"[A-Za-z]:")
# What zipfile and its decompressors raise at archives that are damaged, or made up.
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError),
    *(ValueError, IndexError, OverflowError),
)

# An entry of an archive's directory takes 46 bytes and its name; zipfile keeps all of them in memory.
ENTRY_BYTES = 512
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64_BYTES = 20


def unpack(
    archive: Path, folder: Path, *, max_bytes: int, max_files: int, report: Callable[[int, int], None] | None = None
) -> None:
    """Unpacks an archive into a new folder. On any error the folder is removed.

    Everything that the archive's directory says is checked before the first byte is written; what it says about sizes
    is not relied upon, but counted.

    Args:
        archive: A zip archive.
        folder: Must not exist.
        max_bytes: The most that all files together may have, unpacked.
        max_files: The most files.
        report: Called as `report(done, total)` after each file.

    Raises:
        DatasetError: The archive is damaged, holds too much, is encrypted, or holds an entry that is no plain file
            inside the folder.
        OSError: Writing failed.
    """
    folder.mkdir(parents=True)
    try:
        _check_directory(archive, max_files)
        with zipfile.ZipFile(archive) as opened:
            files = _check_entries(archive, opened.infolist(), max_bytes, max_files)
            for parent in {path.parent for path in files}:
                (folder / parent).mkdir(parents=True, exist_ok=True)
            left = max_bytes
            for number, (path, info) in enumerate(files.items(), start=1):
                left -= _write_file(archive, opened, info, folder / path, left)
                if report:
                    report(number, len(files))
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, _DAMAGED):
            raise _refuse(archive, "an undamaged zip archive", problem=_one_line(error)) from error
        raise


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _refuse(archive: Path, rule: str, **received: object) -> DatasetError:
    return DatasetError(f"Expected {rule}.", received={"archive": archive.name, **received})


def _check_directory(archive: Path, max_files: int) -> None:
    """Refuses an archive whose directory is too long to be read, before zipfile reads it."""
    with archive.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 2**16 - _END.size - _LOCATOR64_BYTES - _END64.size))
        tail = file.read()
    position = tail.rfind(b"PK\x05\x06")
    if position < 0 or position + _END.size > len(tail):
        return  # no zip archive at all: zipfile says so
    length = _END.unpack_from(tail, position)[5]
    position -= _LOCATOR64_BYTES + _END64.size
    if position >= 0 and tail.startswith(b"PK\x06\x06", position):
        length = _END64.unpack_from(tail, position)[8]
    if length > ENTRY_BYTES * 2 * max_files:
        raise _refuse(archive, f"an archive of at most {max_files:,} files", directory_bytes=length)


def _check_entries(
    archive: Path, entries: list[zipfile.ZipInfo], max_bytes: int, max_files: int
) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """Returns the archive's files by their paths below the folder."""
    files: dict[PurePosixPath, zipfile.ZipInfo] = {}
    if len(entries) > 2 * max_files:  # folders may have entries of their own
        raise _refuse(archive, f"an archive of at most {max_files:,} files", entries=len(entries))
    for info in entries:
        path = _check_name(archive, info)
        _check_kind(archive, info)
        if not info.is_dir():
            if path in files:
                raise _refuse(archive, "an archive that holds each file once", file=info.orig_filename)
            files[path] = info
    if len(files) > max_files:
        raise _refuse(archive, f"an archive of at most {max_files:,} files", files=len(files))
    size = sum(info.file_size for info in files.values())
    if size > max_bytes:
        raise _refuse(archive, f"an archive of at most {max_bytes:,} bytes when unpacked", bytes=size)
    _check_clashes(archive, files)
    return files


def _check_name(archive: Path, info: zipfile.ZipInfo) -> PurePosixPath:
    """Returns the path of an entry. A name is refused as it stands in the archive, not mended into another one."""
    name = info.orig_filename
    path = PurePosixPath(name)
    leaves = path.is_absolute() or ".." in path.parts or "\\" in name or bool(_DRIVE.match(name))
    if leaves or not path.parts or any(unicodedata.category(sign) == "Cc" for sign in name):
        raise _refuse(archive, "an archive whose files stay in its folder", file=name)
    return path


def _check_kind(archive: Path, info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    plain = (0, stat.S_IFREG, stat.S_IFDIR) if info.is_dir() else (0, stat.S_IFREG)
    if kind not in plain:
        raise _refuse(archive, "an archive of plain files, without links", file=info.orig_filename)
    if info.flag_bits & ENCRYPTED:
        raise _refuse(archive, "an archive without a password", file=info.orig_filename)
    if info.compress_type not in METHODS:
        raise _refuse(archive, "an archive that is stored or deflated", method=info.compress_type)


def _check_clashes(archive: Path, files: dict[PurePosixPath, zipfile.ZipInfo]) -> None:
    """Refuses names that some file systems take for one: they differ in case or in how an accent is written."""
    seen: dict[str, PurePosixPath] = {}
    for path in files:
        other = seen.setdefault(_fold(path), path)
        if other is not path:
            raise _refuse(archive, "an archive that holds each file once", file=str(path), other=str(other))
    for path in files:
        for parent in path.parents:
            if _fold(parent) in seen:
                raise _refuse(archive, "an archive in which no file is also a folder", file=str(parent))


def _fold(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()


def _write_file(archive: Path, opened: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, left: int) -> int:
    """Writes one file and returns how many bytes it has; `left` is how many it may have."""
    size = 0
    with opened.open(info) as source, target.open("xb") as file:
        while block := source.read(BLOCK_BYTES):
            size += len(block)
            if size > min(left, info.file_size):
                raise _refuse(archive, "files of the sizes that the archive states", file=info.orig_filename)
            file.write(block)
    if size != info.file_size:
        raise _refuse(archive, "files of the sizes that the archive states", file=info.orig_filename)
    return size
