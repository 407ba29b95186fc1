"""Gradient-boosted trees for the tasks, unanswered where training has no label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.evaluation.methods.labels import Label

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

Floats = NDArray[np.float64]

SEED = 0
LEARNING_RATE = 0.06
MIN_LEAF = 40
"""Recordings in a leaf: of several patients, whose ages would name them in smaller ones."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many trees, and how many leaves each may have."""

    n_trees: int
    n_leaves: int


FEW_FEATURES = Size(n_trees=150, n_leaves=15)
MANY_FEATURES = Size(n_trees=300, n_leaves=31)
PER_CLASS = Size(n_trees=60, n_leaves=15)
"""For more than two classes, each of which has its own trees."""


class BoostedValue:
    """A number from features (NaN: not known), fitted to the smallest absolute error."""

    def __init__(self, model: HistGradientBoostingRegressor, varying: NDArray[np.bool_]) -> None:
        self._model = model
        self._varying = varying

    @classmethod
    def fit(cls, features: Floats, label: Label, size: Size = FEW_FEATURES) -> BoostedValue | None:
        """Fit to the recordings that have the label, features (N, F).

        None if there is no label, or no feature differs between the recordings.
        """
        from sklearn.ensemble import HistGradientBoostingRegressor

        seen = features[label.known]
        varying = _varying(seen)
        if not varying.any():
            return None
        model = HistGradientBoostingRegressor(loss="absolute_error", **_settings(size))
        return cls(model.fit(seen[:, varying], label.values), varying)

    def predict(self, features: Floats) -> Floats:
        """Return the value of each row, (N,)."""
        found: Floats = self._model.predict(features[:, self._varying])
        return found


class BoostedClass:
    """Probabilities of K classes from features (NaN: not known)."""

    def __init__(
        self, model: HistGradientBoostingClassifier, varying: NDArray[np.bool_], n_classes: int
    ) -> None:
        self._model = model
        self._varying = varying
        self._n_classes = n_classes

    @classmethod
    def fit(cls, features: Floats, label: Label, n_classes: int, *, balanced: bool) -> BoostedClass | None:
        """Fit to the recordings that have the label.

        None if they are all of one class, or no feature differs between them.

        Parameters
        ----------
        features
            (N, F).
        label
            Indices of the classes, or booleans.
        n_classes
            K; a class that training lacks has probability 0.
        balanced
            Whether every class has the same weight, whatever its share of the recordings.
        """
        from sklearn.ensemble import HistGradientBoostingClassifier

        seen = features[label.known]
        varying = _varying(seen)
        if len(np.unique(label.values)) < 2 or not varying.any():
            return None
        weight = "balanced" if balanced else None
        size = FEW_FEATURES if n_classes == 2 else PER_CLASS
        model = HistGradientBoostingClassifier(class_weight=weight, **_settings(size))
        return cls(model.fit(seen[:, varying], label.values.astype(np.int64)), varying, n_classes)

    def predict(self, features: Floats) -> Floats:
        """Return the probability of each class, (N, K)."""
        probability = np.zeros((len(features), self._n_classes))
        probability[:, self._model.classes_] = self._model.predict_proba(features[:, self._varying])
        return probability


def predicted(model: BoostedValue | None, features: Floats) -> Floats | None:
    """Return what a model predicts, (N,); None without one."""
    return None if model is None else model.predict(features)


def _varying(features: Floats) -> NDArray[np.bool_]:
    """Return which columns have two known values that differ; the trees cannot bin others."""
    known = np.isfinite(features)
    low = np.where(known, features, np.inf).min(axis=0, initial=np.inf)
    high = np.where(known, features, -np.inf).max(axis=0, initial=-np.inf)
    differ: NDArray[np.bool_] = low < high
    return differ


def _settings(size: Size) -> dict[str, Any]:
    # Early stopping would hold back recordings of patients whose others are trained on.
    return {
        "learning_rate": LEARNING_RATE,
        "max_iter": size.n_trees,
        "max_leaf_nodes": size.n_leaves,
        "min_samples_leaf": MIN_LEAF,
        "early_stopping": False,
        "random_state": SEED,
    }
