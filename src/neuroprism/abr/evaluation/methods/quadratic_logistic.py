"""Multinomial logistic regression on features, their squares and products."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.evaluation.methods.conditions import filled, known_medians
from neuroprism.abr.evaluation.methods.labels import Label

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

Floats = NDArray[np.float64]

INVERSE_PENALTY = 0.1
MAX_ITERATIONS = 200
TOLERANCE = 1e-3
FARTHEST_SD = 4.0
"""Where features are cut off, so that no square of an outlier decides."""


class QuadraticClass:
    """Probabilities of K classes; each class has the same weight in the fit, whatever its share."""

    def __init__(
        self, model: Pipeline, medians: Floats, centre: Floats, scale: Floats, n_classes: int
    ) -> None:
        self._model = model
        self._medians = medians
        self._centre = centre
        self._scale = scale
        self._n_classes = n_classes

    @classmethod
    def fit(cls, features: Floats, label: Label, n_classes: int) -> QuadraticClass | None:
        """Fit to the recordings that have the label; None if they are all of one class.

        Parameters
        ----------
        features
            (N, F); NaN: not known.
        label
            Indices of the classes.
        n_classes
            K; a class that training lacks has probability 0.
        """
        if len(np.unique(label.values)) < 2:
            return None
        seen = features[label.known]
        medians = known_medians(seen)
        complete = filled(seen, medians)
        spread = complete.std(axis=0)
        scale = np.where(spread > 0, spread, 1.0)
        fitted = cls(_pipeline(), medians, complete.mean(axis=0), scale, n_classes)
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            # The penalty makes a fit that stops early a usable one.
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted._model.fit(fitted._terms(seen), label.values)
        return fitted

    def predict(self, features: Floats) -> Floats:
        """Return the probability of each class, (N, K)."""
        probability = np.zeros((len(features), self._n_classes))
        probability[:, self._model.classes_] = self._model.predict_proba(self._terms(features))
        return probability

    def _terms(self, features: Floats) -> Floats:
        """Return standardised features, their squares and products, and what is not known, (N, P)."""
        z = (filled(features, self._medians) - self._centre) / self._scale
        z = np.clip(z, -FARTHEST_SD, FARTHEST_SD)
        first, second = np.triu_indices(z.shape[1])
        return np.column_stack([z, z[:, first] * z[:, second], ~np.isfinite(features)])


def _pipeline() -> Pipeline:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(
        StandardScaler(),
        LogisticRegression(
            C=INVERSE_PENALTY, class_weight="balanced", max_iter=MAX_ITERATIONS, tol=TOLERANCE
        ),
    )
