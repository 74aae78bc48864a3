"""Labelled pictures in folders: get them, find them, decode them, split them. No TensorFlow."""

from __future__ import annotations

from scenebook.dataset.decoding import decode, decode_unchanged, resize
from scenebook.dataset.describing import describe_found
from scenebook.dataset.files import PICTURE_SUFFIXES
from scenebook.dataset.finding import check_unchanged, find_pictures
from scenebook.dataset.found import FoundPictures, Picture, check_folder, check_source, source_name
from scenebook.dataset.origins import describe_origin
from scenebook.dataset.sources import prepare_dataset
from scenebook.dataset.splitting import (
    SplitPictures,
    draw_pictures,
    load_split,
    open_pictures,
    split_pictures,
    write_splits,
)
from scenebook.dataset.storing import DecodedPictures, decode_pictures

__all__ = [
    "PICTURE_SUFFIXES",
    "DecodedPictures",
    "FoundPictures",
    "Picture",
    "SplitPictures",
    "check_folder",
    "check_source",
    "check_unchanged",
    "decode",
    "decode_pictures",
    "decode_unchanged",
    "describe_found",
    "describe_origin",
    "draw_pictures",
    "find_pictures",
    "load_split",
    "open_pictures",
    "prepare_dataset",
    "resize",
    "source_name",
    "split_pictures",
    "write_splits",
]
