"""Damaged MATLAB files, which end the process when SciPy believes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from neuroprism.core.errors import DataError
from neuroprism.eeg.readers.mat import read_mat
from neuroprism.eeg.readers.mat_structure import check_structure
from neuroprism.eeg.simulate.mat_files import cell

VALUES: dict[str, Any] = {
    "numbers": np.arange(12.0).reshape(3, 4),
    "complex": np.array([1 + 2j, 3]),
    "small": np.arange(3, dtype=np.int8),
    "text": "Fz and µ",
    "texts": np.array(["Fz", "Cz ä"]),
    "cell": cell("Fz", np.ones((2, 2)), cell("deep")),
    "struct": {"a": 1.0, "b": {"c": "d"}, "empty": np.zeros((0, 0))},
    "empty": np.zeros((0, 3)),
    "flags": np.array([True, False]),
}


@pytest.mark.parametrize("compressed", [False, True])
def test_what_scipy_wrote_holds_together(compressed: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, VALUES | {"sparse": __import__("scipy.sparse").sparse.eye(3)}, do_compression=compressed)
    check_structure(path, list(VALUES))
    assert len(read_mat(path, *VALUES)) == len(VALUES)


@pytest.mark.parametrize(
    ("place", "value"),
    # Among them the dimensions of a name of a channel, which SciPy follows out of the file.
    [(8, 0xFF), (12, 0x7F), (39, 0x40), (35, 0x20), (43, 0x10), (16, 17), (50, 0xFF)],
)
def test_sizes_that_lie_are_refused(place: int, value: int, tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"text": "Fz", "numbers": np.arange(5.0)})
    content = bytearray(path.read_bytes())
    content[128 + place] = value
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read_mat(path, "text", "numbers")


def test_a_packed_variable_that_outgrows_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuroprism.eeg.readers.mat_structure._LARGE", 1 << 16)
    savemat(tmp_path / "a.mat", {"zeros": np.zeros(1 << 20)}, do_compression=True)
    with pytest.raises(DataError, match="outgrows memory"):
        read_mat(tmp_path / "a.mat", "zeros")
