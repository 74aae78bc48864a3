"""The reader of PyTorch's first format, on files that these tests write opcode by opcode."""

from __future__ import annotations

import hashlib
import pickle
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from scenebook.core.errors import WeightsError
from scenebook.network.torch_files import read_tensors

HEAD = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
NUMBERS = np.arange(24, dtype="<f4")


def write_tuple(*parts: bytes | int) -> bytes:
    return b"(" + b"".join(b"I%d\n" % part if isinstance(part, int) else part for part in parts) + b"t"


def write_tensor(shape: Sequence[int], strides: Sequence[int], offset: int = 0, kind: str = "FloatStorage") -> bytes:
    storage = write_tuple(b"Vstorage\n", b"ctorch\n%s\n" % kind.encode(), b"V7\n", b"Vcpu\n", 24, b"N") + b"Q"
    view = write_tuple(storage, offset, write_tuple(*shape), write_tuple(*strides), b"I00\n", b"N")
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + view + b"R"


def write_file(path: Path, tensors: Mapping[str, bytes], numbers: np.ndarray = NUMBERS) -> str:
    """Writes a file with one storage, and returns its digest."""
    items = b"".join(b"V%s\n" % name.encode() + tensor for name, tensor in tensors.items())
    dictionary = b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u."
    content = b"".join(pickle.dumps(part, protocol=2) for part in HEAD) + dictionary + pickle.dumps(["7"], protocol=2)
    path.write_bytes(content + struct.pack("<q", len(numbers)) + numbers.tobytes())
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_tensor_is_read_in_the_order_of_its_strides(tmp_path: Path) -> None:
    file = tmp_path / "small.pth"
    rows, columns = write_tensor((2, 3, 4), (12, 4, 1)), write_tensor((4, 3), (1, 4), offset=12)
    digest = write_file(file, {"rows": rows, "columns": columns})
    tensors = read_tensors(file, digest)
    assert list(tensors) == ["rows", "columns"]
    np.testing.assert_array_equal(tensors["rows"], NUMBERS.reshape(2, 3, 4))
    np.testing.assert_array_equal(tensors["columns"], NUMBERS[12:].reshape(3, 4).T)
    assert all(tensor.flags.c_contiguous and tensor.dtype == np.float32 for tensor in tensors.values())


def test_counters_and_numbers_without_axes_are_read(tmp_path: Path) -> None:
    file = tmp_path / "small.pth"
    digest = write_file(file, {"count": write_tensor((), (), offset=5, kind="LongStorage")}, np.arange(24, dtype="<i8"))
    assert read_tensors(file, digest)["count"] == 5


@pytest.mark.parametrize("name", ["os system", "builtins eval", "torch HalfStorage", "collections.abc Callable"])
def test_a_name_that_tensors_do_not_need_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "small.pth"
    module, _, function = name.partition(" ")
    made = tmp_path / "made-by-the-file"
    call = b"c%s\n%s\n" % (module.encode(), function.encode()) + write_tuple(b"Vtouch %s\n" % bytes(made)) + b"R"
    digest = write_file(file, {"call": call})
    with pytest.raises(KeyError, match=function):
        read_tensors(file, digest)
    assert not made.exists()


def test_another_digest_is_refused_before_the_content_is_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "small.pth"
    digest = write_file(file, {"rows": write_tensor((24,), (1,))})
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=r"SHA-256.*Received: file='small.pth'. Do this."):
        read_tensors(file, digest, advice="Do this.")


def test_a_missing_file_is_an_error_of_the_input(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"Received: file='none.pth'. Do this.") as error:
        read_tensors(tmp_path / "none.pth", "0" * 64, advice="Do this.")
    assert error.value.exit_code == 2
