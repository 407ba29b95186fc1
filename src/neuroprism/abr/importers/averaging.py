"""Averages of sweeps, with the noise that is left in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuroprism.abr.importers.readings import Floats


@dataclass(frozen=True)
class Average:
    """An average response.

    Attributes
    ----------
    trace_uv
        (T,).
    n_sweeps, n_rejected
        How many sweeps are in it, and how many were rejected.
    residual_noise_uv
        SD of the noise left in it: the SD over sweeps, pooled over time, by the root of their number.
    """

    trace_uv: Floats
    n_sweeps: int
    n_rejected: int
    residual_noise_uv: float


def average(sweeps_uv: Floats, reject_uv: float | None) -> Average | None:
    """Return the mean of sweeps (n, T), each without its own mean; None if all of them are rejected.

    Parameters
    ----------
    sweeps_uv
        In microvolt.
    reject_uv
        Sweeps that reach beyond this, on either side of their mean, are rejected.
    """
    centred = sweeps_uv - sweeps_uv.mean(axis=1, keepdims=True)
    kept = centred if reject_uv is None else centred[np.abs(centred).max(axis=1) <= reject_uv]
    n = len(kept)
    if n == 0:
        return None
    noise = float(np.sqrt(kept.var(axis=0, ddof=1).mean() / n)) if n > 1 else np.nan
    return Average(kept.mean(axis=0), n, len(sweeps_uv) - n, noise)
