"""The formats of images: which are read here, and what is said of the others."""

from __future__ import annotations

import importlib.util
import os
from functools import cache

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"})
"""Endings of the names of image files; files of these names count as images without being opened."""
HEIF_PLUGIN = "pillow_heif"

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", *_TIFF)
_AVIF = (b"avif", b"avis")
_HEIF = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")  # brands that follow `ftyp`
_LFS = b"version https://git-lfs"
_RAW = frozenset(
    (
        *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos"),
        *(".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
    )
)
"""What cameras write; many of these files are TIFF whose first image is a thumbnail."""
_OTHERS = {
    **dict.fromkeys((".pbm", ".pgm", ".ppm", ".pnm"), "Netpbm"),
    **dict.fromkeys((".jp2", ".j2k", ".jpx"), "JPEG 2000"),
    **dict.fromkeys((".dcm", ".dicom"), "DICOM"),
    **dict.fromkeys((".psd", ".svg", ".jxl", ".ico", ".eps", ".pcx", ".tga", ".exr", ".hdr"), ""),
}


@cache
def reads_heif() -> bool:
    """Tells whether Pillow's plugin for HEIC is installed."""
    return importlib.util.find_spec(HEIF_PLUGIN) is not None


def is_image(start: bytes) -> bool:
    """Tells from the first 64 bytes of a file whether it is an image in a format that is read."""
    if start.startswith(_SIGNATURES) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP"):
        return True
    kind = _name_heif(start)
    return kind == "AVIF" or (kind == "HEIC" and reads_heif())


def _name_heif(start: bytes) -> str:
    if start[4:8] != b"ftyp" or start[8:12] not in (*_AVIF, *_HEIF):
        return ""
    # `mif1` says no more than that it is of this family.
    return "AVIF" if any(brand in start[8:64] for brand in _AVIF) else "HEIC"


def name_raw(path: str) -> str:
    """Returns the reason why a camera's RAW file is set aside, by its name; nothing for other files."""
    suffix = os.path.splitext(path)[1].lower()
    return f"a camera RAW file ({suffix[1:].upper()}): export it as JPEG, PNG or TIFF" if suffix in _RAW else ""


def name_other_format(start: bytes, path: str = "") -> str:
    """Returns what to do about an image in a format that is not read, from its first bytes, and its name if it is
    known; nothing for others."""
    if start.startswith(_LFS):
        return "a pointer of Git LFS in place of the image: `git lfs pull` fetches it"
    kind = _name_heif(start)
    if kind == "HEIC":
        return "an image in HEIC: install the package pillow-heif (`make setup-heif`), or convert it to JPEG or PNG"
    suffix = os.path.splitext(path)[1].lower()
    kind = kind or (_OTHERS.get(suffix) or suffix[1:].upper() if suffix in _OTHERS else "")
    return f"an image in {kind}, which is not read here: convert it to JPEG or PNG" if kind else ""
