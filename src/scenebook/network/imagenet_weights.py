"""The ImageNet weights of `keras.applications`: which file they are in, and a download of it that ends."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import tenacity

from scenebook.core.backbones import BACKBONES, RANDOM, find_backbone
from scenebook.core.cache import cache_dir, locked
from scenebook.core.errors import SettingsError, WeightsError
from scenebook.core.provenance import sha256_file
from scenebook.core.run_directory import replacing

if TYPE_CHECKING:
    import keras

SILENCE_SECONDS = 10.0
DOWNLOAD_TRIES = 3


def keras_cache(variable: str = "KERAS_HOME") -> Path:
    """Returns the folder into which Keras downloads weights; by SCENEBOOK_KERAS_HOME, where it does without us."""
    return Path(os.path.expanduser(os.environ.get(variable) or "~/.keras"), "models")


def download_imagenet(backbone: str, build: Callable[[], keras.Model]) -> keras.Model:
    """Returns what a builder of Keras makes, which downloads its weights where Keras' cache does not hold them.

    Keras names, caches and checks what it downloads (`keras.utils.get_file`).

    Raises:
        SettingsError: The builder cannot be called like this.
        WeightsError: The weights cannot be downloaded or are damaged; the error says how to place them by hand.
    """
    what = f"the ImageNet weights of {backbone}"

    def build_or_discard() -> keras.Model:
        try:
            return build()
        except OSError as error:
            file = find_download(backbone)
            if file and "truncated file" in str(error):  # Keras knows no checksum of MobileNet's files
                file.unlink()
            raise

    try:
        # Of two processes without the file, the second then finds the first one's.
        lock = cache_dir() / "weights" / f"{backbone}.lock"
        with nullcontext() if find_download(backbone) else locked(lock, what):
            _hand_over(backbone)
            return _call_download(build_or_discard)
    except SettingsError:
        raise
    except Exception as error:  # Keras raises a bare Exception, or whatever its h5 reader does
        text = " ".join(str(error).split())
        address = re.search(r"URL fetch failure on (\S+):", text)
        reason = text.rpartition(" -- ")[2][:300].rstrip(".") + "."
        raise WeightsError(
            f"Expected to download {what}.",
            received={"weights": "imagenet"},
            advice=f"{reason} {_describe_weights_by_hand(backbone, PurePosixPath(address[1]).name if address else '')}",
        ) from error


def _describe_weights_by_hand(backbone: str, file_name: str) -> str:
    file = f"{backbone}.weights.h5"
    code = f"import keras; keras.applications.{backbone}(include_top=False).save_weights('{file}')"
    kept = f" ({file_name})" if file_name else ""
    return (
        f'Without internet, run python -c "{code}" on another machine, copy {file} here, and name it: WEIGHTS={file}. '
        f"Or copy what Keras keeps there in .keras/models{kept} into {keras_cache()}."
    )


def find_download(backbone: str) -> Path | None:
    """Finds Keras' download of a backbone without top. The names follow no rule but that they hold the model's name.

    Its own cache is looked into first, then that of whoever runs the command.
    """
    known = [_letters(name) for name in BACKBONES]
    for file in (*sorted(keras_cache().glob("*.h5")), *sorted(keras_cache("SCENEBOOK_KERAS_HOME").glob("*.h5"))):
        name = _letters(file.stem)
        # resnet50v2_... holds resnet50 too: a file belongs to the longest name in it.
        owner = max((model for model in known if model in name), key=len, default="")
        if "notop" in name and owner == _letters(backbone):
            return file
    return None


def _hand_over(backbone: str) -> None:
    file, folder = find_download(backbone), keras_cache()
    if file and file.parent != folder:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / file.name) as temporary:
            shutil.copyfile(file, temporary)


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _call_download(build: Callable[[], keras.Model]) -> keras.Model:
    again = tenacity.Retrying(
        retry=tenacity.retry_if_not_exception_type(SettingsError),
        stop=tenacity.stop_after_attempt(DOWNLOAD_TRIES),
        wait=tenacity.wait_exponential(0.5),
        reraise=True,
    )
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_SECONDS)  # urllib, which Keras downloads with, has none of its own
    try:
        with redirect_stdout(sys.stderr):  # a bar of progress is no part of a report
            return again(build)
    finally:
        socket.setdefaulttimeout(before)


def weights_digest(weights: str, backbone: str) -> str | None:
    """Returns the SHA-256 of the file that the weights came from.

    `None` for random weights, for a file that is not there, and for what Keras downloads when its cache has it not.
    """
    if weights == RANDOM:
        return None
    named = find_backbone(backbone).find_weights(weights)
    file = named.find_file() or find_download(backbone) if named else Path(weights)
    return sha256_file(file) if file and file.is_file() else None
