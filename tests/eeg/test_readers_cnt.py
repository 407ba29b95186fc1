"""NeuroScan CNT files: what is written is read back in microvolt, whole or in part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import mne
import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.readers.cnt import open_cnt
from neuroprism.eeg.simulate.cnt_writer import write_cnt

NAMES = ("FP1", "CZ", "M1", "HEO")
RATE_HZ = 100
SIGNAL = np.random.default_rng(0).standard_normal((4, 4500)) * np.array([[1.0], [10.0], [100.0], [50.0]])


def message_of(act: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_cnt(tmp_path / "a.cnt", SIGNAL, NAMES, RATE_HZ)
    return tmp_path / "a.cnt"


@pytest.mark.parametrize(("data_format", "step_uv"), [("int16", 400 / 32_000), ("int32", 1e-6)])
def test_written_and_read_back(
    data_format: Literal["int16", "int32"], step_uv: float, tmp_path: Path
) -> None:
    path = tmp_path / "folder" / "a.cnt"
    write_cnt(path, SIGNAL, NAMES, RATE_HZ, data_format=data_format)
    cnt = open_cnt(path)
    assert (cnt.channels, cnt.sample_rate_hz, cnt.n_times) == (NAMES, 100.0, 4500)
    np.testing.assert_allclose(cnt.read_uv(range(4), 0, 4500), SIGNAL, atol=step_uv)
    # The writer against MNE alone, in volt.
    raw = mne.io.read_raw_cnt(path, preload=True, verbose="ERROR")
    np.testing.assert_allclose(raw.get_data() * 1e6, SIGNAL, atol=step_uv)
    assert not raw.annotations


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (7, 1999), (1999, 2001), (123, 4500), (4499, 4500)])
def test_a_part_is_that_part_of_the_whole(path: Path, start: int, stop: int) -> None:
    part = open_cnt(path).read_uv([3, 0], start, stop)
    np.testing.assert_allclose(part, SIGNAL[[3, 0], start:stop], atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.02, 0.5, 0.99, 0.9999])
def test_truncated_files_are_refused(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    message = message_of(lambda: open_cnt(path))
    assert message.startswith(f"{path}: damaged, truncated or no NeuroScan CNT file: ")


def test_other_files_are_refused(tmp_path: Path) -> None:
    assert "no such file" in message_of(lambda: open_cnt(tmp_path / "b.cnt"))
    (tmp_path / "c.cnt").write_bytes(b"time,FP1,CZ\n" * 1000)
    assert "damaged" in message_of(lambda: open_cnt(tmp_path / "c.cnt"))


def test_a_file_that_vanishes_after_opening(path: Path) -> None:
    cnt = open_cnt(path)
    path.unlink()
    assert "no such file" in message_of(lambda: cnt.read_uv([0], 0, 10))
