"""Recordings that are matched in condition to others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.predictor import NEEDED
from neuroprism.abr.recordings import AbrRecordings

N_NEAREST = 5
"""Candidates for each, of which one is drawn: otherwise a few recordings would be taken again and again."""

_CONDITIONS = ("level_db_nhl", "age_years", "rate_hz")

Floats = NDArray[np.float64]


def matched_rows(among: AbrRecordings, to: AbrRecordings, *, seed: int) -> NDArray[np.int64]:
    """Return for each recording of `to` the place of one in `among` with nearly the same condition, (N,).

    It is one of the five nearest in level, age and rate, each in its SD; a condition that is not known counts
    as the median, except that recordings whose level or rate is not known, which the network cannot read, are
    never returned where others have it. The same place may be returned more than once.
    """
    from scipy.spatial import cKDTree

    # Recordings of one condition lie in one point; which of them are found first must not be their order.
    order = np.random.default_rng([seed, 4]).permutation(_readable(among))
    table, wanted = _standardised(among, among)[order], _standardised(to, among)
    n_nearest = min(N_NEAREST, len(order))
    _, found = cKDTree(table).query(wanted, k=[*range(1, n_nearest + 1)])
    chosen = np.random.default_rng([seed, 2]).integers(n_nearest, size=len(to))
    rows: NDArray[np.int64] = order[found[np.arange(len(to)), chosen]]
    return rows


def _readable(recordings: AbrRecordings) -> NDArray[np.int64]:
    readable = np.ones(len(recordings), dtype=np.bool_)
    for name in NEEDED:
        known = np.isfinite(getattr(recordings, name))
        if known.any():
            readable &= known
    return np.flatnonzero(readable)


def _standardised(recordings: AbrRecordings, by: AbrRecordings) -> Floats:
    columns = [np.zeros(len(recordings))]
    for name in _CONDITIONS:
        known = getattr(by, name)[np.isfinite(getattr(by, name))].astype(np.float64)
        if not len(known):
            continue
        values = getattr(recordings, name).astype(np.float64)
        values = np.where(np.isfinite(values), values, np.median(known))
        columns.append((values - known.mean()) / (known.std() or 1.0))
    return np.stack(columns, axis=1)
