"""Writes NeuroScan CNT files: header, electrodes, samples of all channels in turn, event table.

Offsets as published by P. Bourke, http://paulbourke.net/dataformats/eeg/.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from neuroprism.core.files import replace_bytes

_HEADER_BYTES, _ELECTRODE_BYTES = 900, 75
_UNITS = 204.8
"""A value times calibration times sensitivity over this is microvolt."""

_LARGEST = {"int16": 32_000, "int32": 2_000_000_000}


def write_cnt(
    path: Path,
    signal_uv: npt.NDArray[np.floating],
    channels: Sequence[str],
    sample_rate_hz: int,
    *,
    data_format: Literal["int16", "int32"] = "int32",
) -> None:
    """Write a continuous recording without events; its folder is made.

    Parameters
    ----------
    path
        File.
    signal_uv
        (C, T) microvolt.
    channels
        (C,) names of at most nine letters.
    sample_rate_hz
        Of all channels.
    data_format
        Integers in which samples are stored.
    """
    n_times = signal_uv.shape[1]
    resolution_uv = float(np.float32(np.abs(signal_uv).max() / _LARGEST[data_format]))
    samples = np.rint(signal_uv.T / resolution_uv).astype(f"<{data_format[0]}{int(data_format[3:]) // 8}")
    data = samples.tobytes()
    header = bytearray(_HEADER_BYTES)
    header[0:11] = b"Version 3.0"
    header[225:235] = b"01/02/20".ljust(10, b"\x00")
    header[235:247] = b"10:00:00".ljust(12, b"\x00")
    struct.pack_into("<H", header, 370, len(channels))
    struct.pack_into("<H", header, 376, sample_rate_hz)
    struct.pack_into("<i", header, 864, n_times)
    event_table = _HEADER_BYTES + _ELECTRODE_BYTES * len(channels) + len(data)
    struct.pack_into("<i", header, 886, event_table)
    struct.pack_into("<f", header, 890, n_times / sample_rate_hz)
    electrodes = b"".join(
        _electrode(name, k / len(channels), resolution_uv) for k, name in enumerate(channels)
    )
    events = struct.pack("<Bii", 1, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(path, bytes(header) + electrodes + data + events)


def _electrode(name: str, turn: float, resolution_uv: float) -> bytes:
    """Return the entry of a channel, placed on a circle at `turn` of a full turn."""
    entry = bytearray(_ELECTRODE_BYTES)
    entry[0 : len(name)] = name.encode("ascii")
    struct.pack_into("<ff", entry, 19, 100 * np.cos(2 * np.pi * turn), 100 * np.sin(2 * np.pi * turn))
    struct.pack_into("<f", entry, 59, resolution_uv * _UNITS)  # sensitivity
    struct.pack_into("<f", entry, 71, 1.0)  # calibration
    return bytes(entry)
