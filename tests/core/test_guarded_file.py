"""What a pickle announces is not believed."""

from __future__ import annotations

import io
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.core.guarded_file import GuardedFile
from neuroprism.core.restricted_pickle import load_restricted

HIGH = struct.pack("<I", (1 << 31) - 1)
NUMBERED = {
    "alone": b"\x80\x02Nr" + HIGH + b".",
    "in a frame": b"\x80\x04\x95" + struct.pack("<Q", 7) + b"Nr" + HIGH + b".",
    "in text": b"Np2147483647\n.",
    "in text within a frame": b"\x80\x04\x95" + struct.pack("<Q", 14) + b"Np2147483647\n.",
}


@pytest.mark.parametrize("name", NUMBERED)
def test_a_number_that_would_fill_the_memory_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="numbered beyond"):
        load_restricted(NUMBERED[name])


@pytest.mark.parametrize("name", NUMBERED)
def test_without_the_guard_it_does_fill_the_memory(name: str) -> None:
    limited = (
        "import pickle, resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "try: pickle.loads(bytes.fromhex(sys.argv[1]))\n"
        "except MemoryError: sys.exit(7)"
    )
    done = subprocess.run([sys.executable, "-c", limited, NUMBERED[name].hex()], check=False)
    assert done.returncode == 7


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_random_bytes_and_numbers_in_data_are_no_numbers_of_objects(protocol: int) -> None:
    rng = np.random.default_rng(0)
    values = {
        "small": rng.integers(0, 256, 1000, dtype=np.uint8),
        "large": rng.integers(0, 256, 300_000, dtype=np.uint8),
        "r": ["r" + "\xff" * 4, b"r" + b"\xff" * 4, "p99999999999"],
        "many": [[k] for k in range(3000)],
    }
    found = load_restricted(pickle.dumps(values, protocol))
    for name in ("small", "large"):
        assert np.array_equal(found[name], values[name])
    assert found["r"] == values["r"]
    assert found["many"] == values["many"]


def test_no_more_is_read_than_is_there() -> None:
    file = GuardedFile(io.BytesIO(b"abc"))
    assert file.read(1 << 60) == b"abc"
    assert file.left() == 0


def test_shared_containers_are_not_copied_without_end() -> None:
    shared: list[object] = []
    for _ in range(60):
        shared = [shared, shared]
    with pytest.raises(DataError, match="more than"):
        load_restricted(pickle.dumps(shared))


def test_text_as_wide_as_memory_is_refused() -> None:
    texts = np.array(["x" * 100_000, *[""] * 10_000], dtype=object)
    content = pickle.dumps(texts).replace(b"\x8c\x01O", b"\x8c\x01O")
    with pytest.raises(DataError):
        load_restricted(content)
