"""What a recording must fulfil before windows are cut from it; each fault is one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError

if TYPE_CHECKING:
    from neuroprism.eeg.spec import DatasetSpec

SMALLEST_UV = 1e-2
"""Scalp EEG is 1 to 200 microvolt; below this everywhere, values are volts or nothing was recorded."""

LARGEST_UV = 1e5
"""A tenth of a volt: above this, values are not microvolt."""

_SAMPLES = 20_000
"""Samples a channel that an amplitude is estimated from."""


def check_rate(sample_rate_hz: float, spec: DatasetSpec, where: str) -> None:
    """Refuse a sample rate that the dataset does not declare.

    Raises
    ------
    DataError
        Naming the recording, its rate and the declared ones.
    """
    if not any(abs(sample_rate_hz - rate) < 1e-3 * rate for rate in spec.source_rates_hz):
        declared = ", ".join(f"{rate:g}" for rate in spec.source_rates_hz)
        raise DataError(
            f"{where}: sampled at {sample_rate_hz:g} Hz; {spec.name} is recorded at {declared} Hz"
        )


def check_signal(signal_uv: npt.NDArray[np.floating], channels: Sequence[str], where: str) -> None:
    """Refuse a signal that cannot be EEG in microvolt.

    Parameters
    ----------
    signal_uv
        (C, T) of the whole recording.
    channels
        (C,) names.
    where
        Names the recording in the message.

    Raises
    ------
    DataError
        For an empty recording, a value that is not finite, a channel that
        never changes, or amplitudes that are not microvolt.
    """
    if signal_uv.ndim != 2 or len(signal_uv) != len(channels):
        raise DataError(f"{where}: array of shape {signal_uv.shape} for {len(channels)} channels")
    if not signal_uv.shape[1]:
        raise DataError(f"{where}: the recording is empty")
    lowest, highest = signal_uv.min(axis=1), signal_uv.max(axis=1)
    # The extremes are NaN or infinite exactly where a channel holds such a value.
    _refuse(~(np.isfinite(lowest) & np.isfinite(highest)), channels, where, "not finite (NaN or infinite)")
    _refuse(lowest == highest, channels, where, "flat: one value throughout")
    amplitudes = amplitude_uv(signal_uv)
    if amplitudes.max() < SMALLEST_UV:
        raise DataError(
            f"{where}: amplitudes of at most {amplitudes.max():.2g} uV; the values look like volts, "
            "microvolt are expected"
        )
    too_large = amplitudes > LARGEST_UV
    _refuse(too_large, channels, where, f"above {LARGEST_UV:g} uV; the values are not microvolt")


def amplitude_uv(signal_uv: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return half the distance between the 5th and 95th percentile of each channel: (C,).

    Neither an offset nor a short artefact changes it much.
    """
    step = max(1, signal_uv.shape[1] // _SAMPLES)
    low, high = np.percentile(signal_uv[:, ::step], (5, 95), axis=1)
    amplitudes: npt.NDArray[np.float64] = (high - low).astype(np.float64) / 2
    return amplitudes


def pick(names_in_file: Sequence[str], wanted: Sequence[str], where: str) -> list[int]:
    """Return the position of each wanted channel, in the order of `wanted`.

    Upper and lower case and surrounding blanks are ignored; of a name that
    occurs twice the first is taken.

    Raises
    ------
    DataError
        Naming the missing channels and what the file has.
    """
    positions: dict[str, int] = {}
    for position, name in enumerate(names_in_file):
        positions.setdefault(name.strip().casefold(), position)
    missing = [name for name in wanted if name.casefold() not in positions]
    if missing:
        raise DataError(
            f"{where}: missing channel{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
            f"the file has {', '.join(names_in_file) or 'none'}"
        )
    return [positions[name.casefold()] for name in wanted]


def _refuse(at_fault: npt.NDArray[np.bool_], channels: Sequence[str], where: str, fault: str) -> None:
    names = [name for name, bad in zip(channels, at_fault, strict=True) if bad]
    if names:
        raise DataError(f"{where}: channel{'s' if len(names) > 1 else ''} {', '.join(names)} {fault}")
