"""A simple classifier, always the same, that stands for what can be learned from a set of traces."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.recordings import AbrRecordings

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

N_COMPONENTS = 20
"""Principal components of the trace."""

N_LANDMARKS = 400
INVERSE_PENALTY = 10.0

_CONDITIONS = ("level_db_nhl", "age_years", "rate_hz")


class SimpleClassifier:
    """Logistic regression with a Gaussian kernel on principal components of the trace, level, age and rate.

    All features are standardised and classes weigh alike; a missing condition is replaced by the median.
    There is nothing to choose, so that a difference between two of them is one between what they were fitted
    on. The kernel (by the Nystroem method, Williams and Seeger 2001) is there because wave V moves: its
    component scores change their signs with its latency, so that a linear rule hardly gains by the trace.

    Parameters
    ----------
    recordings
        What to fit on.
    labels
        Class of each, (N,), with two different ones or more.
    n_classes
        Number of classes K, also of those that no label has.
    traces
        Whether the trace is looked at, and not the conditions alone.
    """

    def __init__(
        self, recordings: AbrRecordings, labels: Labels, n_classes: int, *, traces: bool = True
    ) -> None:
        self._n_classes, self._traces = n_classes, traces
        features = _features(recordings, traces=traces)
        self._model = _pipeline(n_rows=len(labels), n_times=features.shape[1] - len(_CONDITIONS))
        self._model.fit(features, labels)

    def probability(self, recordings: AbrRecordings) -> Floats:
        """Return the probability of each class, (N, K); 0 for a class that was not in the fit."""
        found = np.zeros((len(recordings), self._n_classes))
        found[:, self._model.classes_] = self._model.predict_proba(_features(recordings, traces=self._traces))
        return found


def _features(recordings: AbrRecordings, *, traces: bool) -> Floats:
    columns = [getattr(recordings, name).astype(np.float64)[:, None] for name in _CONDITIONS]
    return np.concatenate([*columns, *([recordings.signal_uv.astype(np.float64)] if traces else [])], axis=1)


def _pipeline(*, n_rows: int, n_times: int) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.decomposition import PCA
    from sklearn.impute import SimpleImputer
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    n_conditions = len(_CONDITIONS)
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    parts: list[tuple[Any, slice]] = [(imputer, slice(0, n_conditions))]
    n_components = min(N_COMPONENTS, n_rows, n_times)
    if n_components:
        parts.append((PCA(n_components, svd_solver="full"), slice(n_conditions, n_conditions + n_times)))
    return make_pipeline(
        make_column_transformer(*parts),
        StandardScaler(),
        Nystroem(
            gamma=1 / (n_conditions + n_components), n_components=min(N_LANDMARKS, n_rows), random_state=0
        ),
        LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced", max_iter=5000),
    )
