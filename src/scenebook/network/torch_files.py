"""Reads the tensors of a weights file of PyTorch's first format, without PyTorch, and without running what it holds.

Such a file is a row of pickles (a magic number, a version, facts of the machine, the dictionary of tensors, the keys of
the storages), followed by the storages as raw numbers. A pickle can call any function that it names, and a view can
reach anywhere: so only a file is interpreted whose digest is the recorded one, and only three kinds of name are known.
"""

from __future__ import annotations

import collections
import hashlib
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scenebook.core.errors import WeightsError

_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage; offset and strides are counted in numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def read(self, storages: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns the tensor as a contiguous array of its own: in the file it may lie in any order."""
        numbers = storages[self.storage.key]
        steps = [step * numbers.itemsize for step in self.strides]
        view = np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, steps, writeable=False)
        return np.array(view, order="C")


_KNOWN_NAMES = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): lambda *parts: _Tensor(*parts[:4]),
    **{("torch", name): dtype for name, dtype in _DTYPES.items()},
}


class _TensorUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return _KNOWN_NAMES[module, name]

    def persistent_load(self, identifier: Any) -> _Storage:
        _, dtype, key, *_ = identifier
        return _Storage(str(key), dtype)


def read_tensors(file: Path, sha256: str, *, advice: str = "") -> dict[str, np.ndarray]:
    """Returns the tensors of a file by their names: contiguous arrays of float32 or int64.

    The format is that of PyTorch before version 1.6, which is no zip archive. The advice, a sentence, is for a file of
    another digest.

    Raises:
        WeightsError: The file is missing, or has another digest.
    """
    received = {"file": file.name}
    try:
        content = file.read_bytes()
    except OSError as error:
        raise WeightsError("Expected the weights file to exist.", received=received, advice=advice) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise WeightsError(
            "Expected the weights as they were released: the file's SHA-256 is not the recorded one.",
            received=received,
            advice=advice,
        )
    stream = io.BytesIO(content)
    _, _, _, tensors, keys = (_TensorUnpickler(stream).load() for _ in range(5))
    dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
    storages = {}
    for key in keys:
        count = int.from_bytes(stream.read(8), "little")
        storages[key] = np.frombuffer(stream.read(count * dtypes[key].itemsize), dtypes[key])
    return {name: tensor.read(storages) for name, tensor in tensors.items()}
