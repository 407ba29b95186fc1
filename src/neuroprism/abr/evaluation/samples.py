"""On which recordings a quantity can be measured; the labels alone decide, never an answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.answers import Floats
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.unlabelled import UNKNOWN_EAR

Rows = NDArray[np.int64]
"""Places of recordings in their set."""

_LABELLED = {
    "latency_ms": "latency_mask",
    "amplitude_uv": "amplitude_mask",
    "threshold_db_nhl": "threshold_mask",
    "ear_threshold_db_nhl": "threshold_mask",
}


def labelled(recordings: AbrRecordings, quantity: str) -> Rows:
    """Return the recordings on which a quantity has errors; a threshold that is a lower bound has none.

    For `ear_threshold_db_nhl`: the first recording of each ear that was recorded at two levels or more.
    """
    rows: Rows = np.flatnonzero(getattr(recordings, _LABELLED[quantity]))
    if quantity.endswith("threshold_db_nhl"):
        rows = rows[~recordings.threshold_censored[rows]]
    return _one_an_ear(recordings, rows) if quantity.startswith("ear_") else rows


def truth(recordings: AbrRecordings, quantity: str) -> Floats:
    """Return the labels of a quantity, (N,)."""
    name = quantity.removeprefix("ear_")
    values: Floats = getattr(recordings, name if "threshold" in name else f"v_{name}").astype(np.float64)
    return values


def class_answers(
    probability: Floats, recordings: AbrRecordings, *, of_ear: bool = False
) -> tuple[Rows, Floats]:
    """Return the recordings with a class and their probabilities (n, K).

    Of an ear: one recording of each, with the geometric mean of the probabilities of all of them.
    """
    rows = np.flatnonzero(recordings.class_mask)
    if of_ear:
        rows = _of_known_ears(recordings, rows)
    if not of_ear or not len(rows):
        return rows, probability[rows]
    _, first, owner = np.unique(recordings.ear_id[rows], return_index=True, return_inverse=True)
    logs = np.log(np.maximum(probability[rows], 1e-12))
    counts = np.bincount(owner)
    mean = np.stack([np.bincount(owner, weights=column) / counts for column in logs.T], axis=1)
    likely = np.exp(mean - mean.max(axis=1, keepdims=True))
    return rows[first], likely / likely.sum(axis=1, keepdims=True)


def _one_an_ear(recordings: AbrRecordings, rows: Rows) -> Rows:
    known = _of_known_ears(recordings, rows)
    names, first, owner = np.unique(recordings.ear_id[known], return_index=True, return_inverse=True)
    pairs = np.unique(np.stack([owner, recordings.level_db[known].astype(np.float64)]), axis=1)
    n_levels = np.bincount(pairs[0].astype(np.int64), minlength=len(names))
    chosen: Rows = known[np.sort(first[n_levels > 1])]
    return chosen


def _of_known_ears(recordings: AbrRecordings, rows: Rows) -> Rows:
    known = (recordings.ear[rows] != UNKNOWN_EAR) & (recordings.patient_id[rows] != "")
    return np.asarray(rows[known], dtype=np.int64)
