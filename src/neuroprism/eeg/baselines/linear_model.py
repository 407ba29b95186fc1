"""Linear models of standardised features: logistic regression, or ridge regression of numbers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError
from neuroprism.eeg.baselines.split_windows import Matrix
from neuroprism.eeg.spec import DatasetSpec

INVERSE_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
"""Candidates for C of the logistic regression, the strongest regularisation first."""

PENALTIES = (1e5, 1e4, 1e3, 1e2, 1e1, 1.0)
"""Candidates for alpha of the ridge regression, the strongest regularisation first."""

MAX_ITERATIONS = 500


class Standardiser:
    """Shifts and scales features to mean 0 and variance 1 over the training windows.

    Parameters
    ----------
    features
        (n, F) of the training split.
    """

    def __init__(self, features: Matrix) -> None:
        self.mean = features.mean(axis=0, dtype=np.float64)
        spread = features.std(axis=0, dtype=np.float64)
        # What does not vary says nothing; dividing its rounding errors by themselves would make it noise.
        self.scale = np.where(spread > 1e-6 * np.abs(self.mean), spread, np.inf)

    def apply(self, features: Matrix) -> Matrix:
        """Standardise `features` in place and return them."""
        features -= self.mean.astype(np.float32)
        features /= self.scale.astype(np.float32)
        return features


@dataclass(frozen=True, kw_only=True)
class LinearModel:
    """A fitted model.

    Attributes
    ----------
    value
        Of the hyper-parameter.
    weights, bias
        (F, K) and (K,), or (F,) and a number.
    converged
        Whether the fit came to its end.
    """

    value: float
    weights: npt.NDArray[np.floating]
    bias: npt.NDArray[np.floating] | float
    converged: bool = True

    def outputs(self, features: Matrix) -> npt.NDArray[np.floating]:
        """Return logits (n, K) for multiclass, one logit or value (n,) else."""
        found: npt.NDArray[np.floating] = features @ self.weights + self.bias
        return found


def parameter_name(spec: DatasetSpec) -> str:
    """Return what is chosen on validation."""
    return "alpha" if spec.task == "regression" else "C"


def candidates(spec: DatasetSpec, features: Matrix, y: npt.NDArray[Any]) -> Iterator[LinearModel]:
    """Fit one model for each value of the hyper-parameter, the strongest regularisation first.

    Parameters
    ----------
    spec
        The dataset.
    features
        (n, F) standardised.
    y
        (n,) labels.

    Raises
    ------
    DataError
        If the training split has one class only.
    """
    if spec.task == "regression":
        yield from _ridge(features, y)
        return
    present = np.unique(y)
    if len(present) < 2:
        raise DataError(
            f"{spec.name}: all training windows are '{spec.class_names[int(present[0])]}'; "
            "a classifier needs two classes, so prepare more subjects"
        )
    yield from _logistic(spec, features, y, present)


def _ridge(features: Matrix, y: npt.NDArray[Any]) -> Iterator[LinearModel]:
    from sklearn.linear_model import Ridge

    exact, target = features.astype(np.float64), y.astype(np.float64)
    for alpha in PENALTIES:
        model = Ridge(alpha=alpha, solver="cholesky").fit(exact, target)
        yield LinearModel(value=alpha, weights=model.coef_, bias=float(model.intercept_))


def _logistic(
    spec: DatasetSpec, features: Matrix, y: npt.NDArray[Any], present: npt.NDArray[Any]
) -> Iterator[LinearModel]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    # The solution for one C is where the search for the next one starts.
    model = LogisticRegression(class_weight="balanced", max_iter=MAX_ITERATIONS, warm_start=True)
    for inverse_penalty in INVERSE_PENALTIES:
        model.set_params(C=inverse_penalty)
        with warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("always")
            model.fit(features, y)
        for warning in raised:
            if not issubclass(warning.category, ConvergenceWarning):
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        converged = not any(issubclass(warning.category, ConvergenceWarning) for warning in raised)
        weights, bias = _as_declared(spec, model.coef_, model.intercept_, present)
        yield LinearModel(value=inverse_penalty, weights=weights, bias=bias, converged=converged)


def _as_declared(
    spec: DatasetSpec,
    coefficients: npt.NDArray[np.floating],
    intercepts: npt.NDArray[np.floating],
    present: npt.NDArray[Any],
) -> tuple[npt.NDArray[np.floating], Any]:
    """Return weights and biases of the declared outputs; a class that training lacks is never predicted."""
    if spec.task == "binary":
        return coefficients[0].copy(), float(intercepts[0])
    if len(present) == 2:
        # Two classes have one logit, that of the second against the first.
        coefficients = np.stack([np.zeros_like(coefficients[0]), coefficients[0]])
        intercepts = np.array([0.0, intercepts[0]])
    weights = np.zeros((coefficients.shape[1], spec.n_outputs), dtype=coefficients.dtype)
    bias = np.full(spec.n_outputs, -1e9)
    weights[:, present], bias[present] = coefficients.T, intercepts
    return weights, bias
