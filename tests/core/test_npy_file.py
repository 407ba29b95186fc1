"""Arrays of others: the same as numpy reads, or refused before anything is allocated."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest

from neuroprism.core import npy_file


def stored(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def read(content: bytes) -> np.ndarray:
    return npy_file.read_array(io.BytesIO(content), len(content))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(["a", "bcd"]),
        np.array(3.5),
        np.zeros((0, 4), np.float32),
        np.array([True, False]),
    ],
)
def test_it_reads_what_numpy_wrote(array: np.ndarray) -> None:
    found = read(stored(array))
    assert found.dtype == array.dtype
    assert found.flags.writeable
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("shape", ["(1000000, 1000000)", "(999999999999,)", "(" + "9999999, " * 30 + ")"])
def test_a_shape_that_lies_takes_no_memory(shape: str) -> None:
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    tracemalloc.start()
    with pytest.raises(ValueError, match="cannot hold"):
        read(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(64))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"x"])
def test_a_length_that_differs_is_damage(change: object) -> None:
    with pytest.raises(ValueError, match=r"as long|cannot hold"):
        read(change(stored(np.arange(6.0))))  # type: ignore[operator]


def test_objects_and_records_are_refused() -> None:
    for array in (np.array([{}], dtype=object), np.zeros(2, [("a", "f8")])):
        with pytest.raises(ValueError, match="only numbers and text"):
            read(stored(array))
