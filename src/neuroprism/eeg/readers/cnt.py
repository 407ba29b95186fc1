"""NeuroScan CNT recordings, read a stretch at a time: a file holds an hour at 1000 Hz."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError

_BLOCK_S = 20
"""Seconds of all channels that MNE reads at a time."""

_DAMAGED = (ValueError, OSError, RuntimeError, EOFError, IndexError, OverflowError, MemoryError)


@dataclass(frozen=True, kw_only=True, slots=True)
class CntRecording:
    """An opened file whose signal has not been read yet.

    Attributes
    ----------
    path
        The file.
    channels
        Names in the order of the file.
    sample_rate_hz, n_times
        Of all channels.
    """

    path: Path
    channels: tuple[str, ...]
    sample_rate_hz: float
    n_times: int
    _raw: Any

    def read_uv(self, rows: Sequence[int], start: int, stop: int) -> npt.NDArray[np.float64]:
        """Read samples `start` to `stop` of the channels `rows`: (C, T) microvolt.

        Raises
        ------
        DataError
            If the file cannot be read.
        """
        out = np.empty((len(rows), stop - start))
        step = max(1, round(_BLOCK_S * self.sample_rate_hz))
        try:
            for begin in range(start, stop, step):
                end = min(stop, begin + step)
                out[:, begin - start : end - start] = self._raw.get_data(start=begin, stop=end)[list(rows)]
        except _DAMAGED as error:
            raise _not_readable(self.path, error) from error
        out *= 1e6  # MNE gives volts
        return out


def open_cnt(path: Path) -> CntRecording:
    """Read the header of a file.

    Raises
    ------
    DataError
        If the file is damaged, truncated or no CNT file.
    """
    import mne

    try:
        raw = mne.io.read_raw_cnt(path, preload=False, verbose="ERROR")
    except (*_DAMAGED, struct.error) as error:
        raise _not_readable(path, error) from error
    return CntRecording(
        path=path,
        channels=tuple(raw.ch_names),
        sample_rate_hz=float(raw.info["sfreq"]),
        n_times=int(raw.n_times),
        _raw=raw,
    )


def _not_readable(path: Path, error: Exception) -> DataError:
    if not path.is_file():
        return DataError(f"{path}: no such file")
    lines = [line for line in str(error).splitlines() if line.strip()]
    return DataError(
        f"{path}: damaged, truncated or no NeuroScan CNT file: {lines[-1] if lines else error!r}"
    )
