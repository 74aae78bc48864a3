"""The reader of PyTorch's first format, on files that these tests write opcode by opcode."""

from __future__ import annotations

import hashlib
import pickle
import re
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


def write_file(
    path: Path, tensors: Mapping[str, bytes], numbers: np.ndarray = NUMBERS, head: Sequence[object] = HEAD
) -> str:
    """Writes a file with one storage, and returns its digest."""
    items = b"".join(b"V%s\n" % name.encode() + tensor for name, tensor in tensors.items())
    dictionary = b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u."
    content = b"".join(pickle.dumps(part, protocol=2) for part in head) + dictionary + pickle.dumps(["7"], protocol=2)
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


@pytest.mark.parametrize(
    "tensor",
    [
        write_tensor((25,), (1,)),
        write_tensor((5,), (1,), offset=20),
        write_tensor((2, 3), (22, 1)),
        write_tensor((3,), (-1,), offset=5),
        write_tensor((3,), (1,), offset=-1),
        write_tensor((3, 2), (1,)),
    ],
    ids=["too long", "too far", "too wide a step", "backwards", "before the storage", "axes without a step"],
)
def test_a_tensor_outside_of_its_storage_is_refused(tmp_path: Path, tensor: bytes) -> None:
    file = tmp_path / "small.pth"
    digest = write_file(file, {"tensor": tensor})
    with pytest.raises(WeightsError, match=r"Received: file='small.pth'"):
        read_tensors(file, digest)


@pytest.mark.parametrize("name", ["os system", "builtins eval", "torch HalfStorage", "collections.abc Callable"])
def test_a_name_that_tensors_do_not_need_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "small.pth"
    module, _, function = name.partition(" ")
    made = tmp_path / "made-by-the-file"
    call = b"c%s\n%s\n" % (module.encode(), function.encode()) + write_tuple(b"Vtouch %s\n" % bytes(made)) + b"R"
    digest = write_file(file, {"call": call})
    with pytest.raises(WeightsError, match=re.escape(f"{module}.{function}")):
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


@pytest.mark.parametrize("kept", [0, 20, 200, -1])
def test_a_file_that_ends_too_early_is_refused(tmp_path: Path, kept: int) -> None:
    file = tmp_path / "small.pth"
    write_file(file, {"rows": write_tensor((24,), (1,))})
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(WeightsError, match="first format"):
        read_tensors(file, hashlib.sha256(file.read_bytes()).hexdigest())


@pytest.mark.parametrize(
    "head", [[1, 1001, {"little_endian": True}], [HEAD[0], 1002, HEAD[2]], [*HEAD[:2], {"little_endian": False}]]
)
def test_another_magic_number_version_or_byte_order_is_refused(tmp_path: Path, head: list[object]) -> None:
    file = tmp_path / "small.pth"
    digest = write_file(file, {"rows": write_tensor((24,), (1,))}, head=head)
    with pytest.raises(WeightsError, match="first format"):
        read_tensors(file, digest)


def test_a_missing_file_is_an_error_of_the_input(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"Received: file='none.pth'. Do this.") as error:
        read_tensors(tmp_path / "none.pth", "0" * 64, advice="Do this.")
    assert error.value.exit_code == 2
