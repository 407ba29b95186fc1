"""The labels of training recordings, with the recordings that have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.recordings import AbrRecordings

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Label:
    """Labels of one task.

    Attributes
    ----------
    known
        Which recordings have one, (N,).
    values
        Of those recordings, (n,).
    """

    known: Mask
    values: NDArray[Any]

    def __bool__(self) -> bool:
        return bool(self.known.any())


def presence(training: AbrRecordings) -> Label:
    """Return whether wave V is there."""
    return _label(training.v_mask, training.v_present)


def latency_ms(training: AbrRecordings) -> Label:
    """Return the latencies of wave V."""
    return _label(training.latency_mask, training.v_latency_ms.astype(np.float64))


def amplitude_uv(training: AbrRecordings) -> Label:
    """Return the amplitudes of wave V; none where the source lost the scale."""
    scaled = np.full(len(training), training.signal_unit == "uV")
    return _label(training.amplitude_mask & scaled, training.v_amplitude_uv.astype(np.float64))


def hearing_class(training: AbrRecordings) -> Label:
    """Return the indices of the classes."""
    return _label(training.class_mask, training.hearing_class)


def threshold_db_nhl(training: AbrRecordings) -> Label:
    """Return the thresholds that were reached; a lower bound is no value to learn."""
    known = training.threshold_mask & ~training.threshold_censored
    return _label(known, training.threshold_db_nhl.astype(np.float64))


def _label(known: Mask, values: NDArray[Any]) -> Label:
    return Label(known=known, values=values[known])
