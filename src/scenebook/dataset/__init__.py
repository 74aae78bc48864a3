"""Labelled pictures in folders: get them, find them, decode them, split them. No TensorFlow."""

from __future__ import annotations

from scenebook.dataset.decoding import DecodedPictures, decode, decode_pictures
from scenebook.dataset.finding import PICTURE_SUFFIXES, FoundPictures, Picture, find_pictures
from scenebook.dataset.sources import check_folder, download_intel, prepare_dataset
from scenebook.dataset.splitting import SplitPictures, load_split, split_pictures

__all__ = [
    "PICTURE_SUFFIXES",
    "DecodedPictures",
    "FoundPictures",
    "Picture",
    "SplitPictures",
    "check_folder",
    "decode",
    "decode_pictures",
    "download_intel",
    "find_pictures",
    "load_split",
    "prepare_dataset",
    "split_pictures",
]
