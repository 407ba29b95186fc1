"""Linear regression to the smallest sum of absolute errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.evaluation.methods.conditions import filled, known_medians
from neuroprism.abr.evaluation.methods.labels import Label

Floats = NDArray[np.float64]

N_REWEIGHTINGS = 15
LEAST_SHARE = 0.02
"""Errors below this share of their first mean weigh the same, so that no weight is infinite."""


def least_absolute(terms: Floats, values: Floats) -> Floats:
    """Return the coefficients (F,) of terms (n, F) for values (n,).

    By iteratively reweighted least squares.
    """
    solution = np.linalg.lstsq(terms, values, rcond=None)[0]
    floor = max(LEAST_SHARE * float(np.abs(values - terms @ solution).mean()), np.finfo(np.float64).tiny)
    for _ in range(N_REWEIGHTINGS):
        root = np.maximum(np.abs(values - terms @ solution), floor) ** -0.5
        solution = np.linalg.lstsq(terms * root[:, None], values * root, rcond=None)[0]
    return solution.astype(np.float64)


@dataclass(frozen=True, kw_only=True)
class LinearValue:
    """A number from features, with the training median where a feature is not known.

    Attributes
    ----------
    coefficients
        Of the features and of 1, (F + 1,).
    medians
        (F,).
    """

    coefficients: Floats
    medians: Floats

    @classmethod
    def fit(cls, features: Floats, label: Label) -> LinearValue | None:
        """Fit to the recordings that have the label, features (N, F); None if there is none."""
        if not label:
            return None
        medians = known_medians(features[label.known])
        terms = _with_one(filled(features[label.known], medians))
        return cls(coefficients=least_absolute(terms, label.values), medians=medians)

    def predict(self, features: Floats) -> Floats:
        """Return the value of each row, (N,)."""
        found: Floats = _with_one(filled(features, self.medians)) @ self.coefficients
        return found


def predicted(model: LinearValue | None, features: Floats) -> Floats | None:
    """Return what a model predicts, (N,); None without one."""
    return None if model is None else model.predict(features)


def _with_one(features: Floats) -> Floats:
    return np.column_stack([features, np.ones(len(features))])
