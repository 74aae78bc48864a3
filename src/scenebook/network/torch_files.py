"""Reads the tensors of a weights file of PyTorch's first format, without PyTorch, and without running what it holds.

Such a file is a row of pickles (a magic number, a version, facts of the machine, the dictionary of tensors, the keys of
the storages), followed by the storages as raw numbers. A pickle can call any function that it names, so the digest of
the file is compared before a byte of it is interpreted, and only three kinds of name are known here.
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

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
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
        reach = [step * (side - 1) for step, side in zip(self.strides, self.shape, strict=True) if side > 0]
        if self.offset < 0 or min(reach, default=0) < 0 or self.offset + sum(reach) >= len(numbers):
            raise ValueError(f"a tensor reaches beyond its storage {self.storage.key}")
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
        if (module, name) not in _KNOWN_NAMES:
            raise pickle.UnpicklingError(f"the name {module}.{name} is none that tensors need")
        return _KNOWN_NAMES[module, name]

    def persistent_load(self, identifier: Any) -> _Storage:
        _, dtype, key, *_ = identifier
        return _Storage(str(key), dtype)


def read_tensors(file: Path, sha256: str, *, advice: str = "") -> dict[str, np.ndarray]:
    """Returns the tensors of a file by their names: contiguous arrays of float32 or int64.

    The format is that of PyTorch before version 1.6, which is no zip archive. The advice, a sentence, is for a file of
    another digest.

    Raises:
        WeightsError: The file is missing, has another digest, or is not of this format.
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
    try:
        return _parse(io.BytesIO(content))
    except (ValueError, TypeError, KeyError, EOFError, AttributeError, pickle.UnpicklingError) as error:
        raise WeightsError(f"Expected a weights file of PyTorch's first format: {error}.", received=received) from error


def _parse(stream: io.BytesIO) -> dict[str, np.ndarray]:
    magic, version, machine, tensors, keys = (_TensorUnpickler(stream).load() for _ in range(5))
    if (magic, version, machine["little_endian"]) != (_MAGIC, _VERSION, True):
        raise ValueError("its head is another one")
    dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
    storages = {}
    for key in keys:
        count = int.from_bytes(stream.read(8), "little")
        storages[key] = np.frombuffer(stream.read(count * dtypes[key].itemsize), dtypes[key])
        if len(storages[key]) != count:
            raise ValueError("it ends too early")
    return {name: tensor.read(storages) for name, tensor in tensors.items()}
