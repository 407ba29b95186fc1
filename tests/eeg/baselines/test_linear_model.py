"""Linear models against scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression, Ridge

from neuroprism.core.errors import DataError
from neuroprism.eeg.baselines import linear_model
from neuroprism.eeg.baselines.linear_model import (
    INVERSE_PENALTIES,
    PENALTIES,
    Standardiser,
    candidates,
    parameter_name,
)
from neuroprism.eeg.spec import DatasetSpec

SpecMaker = Callable[..., DatasetSpec]


def _features(n: int = 80, n_features: int = 5) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, n_features)).astype(np.float32)


def test_standardised_features_have_mean_zero_and_variance_one() -> None:
    x = _features() * [1, 1e3, 1e-3, 1, 1] + [0, 5, 0, 1e3, 7]
    x = x.astype(np.float32)
    x[:, 4] = 0.1
    done = Standardiser(x).apply(x.copy())
    np.testing.assert_allclose(done[:, :4].mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(done[:, :4].std(axis=0), 1, atol=1e-3)
    assert not done[:, 4].any()


def test_multiclass_logits_are_those_of_scikit_learn(make_spec: SpecMaker) -> None:
    x, y = _features(), np.random.default_rng(1).integers(0, 3, 80)
    found = list(candidates(make_spec(task="multiclass"), x, y))
    assert [model.value for model in found] == list(INVERSE_PENALTIES)
    for model in found:
        theirs = LogisticRegression(C=model.value, class_weight="balanced", tol=1e-7).fit(x, y)
        logits = model.outputs(x)
        np.testing.assert_allclose(log_softmax(logits, axis=1), theirs.predict_log_proba(x), atol=5e-3)


def test_binary_logit_is_that_of_scikit_learn(make_spec: SpecMaker) -> None:
    x = _features()
    y = (x[:, 0] > 0.8).astype(int)
    for model in candidates(make_spec(task="binary"), x, y):
        theirs = LogisticRegression(C=model.value, class_weight="balanced", tol=1e-7).fit(x, y)
        np.testing.assert_allclose(model.outputs(x), theirs.decision_function(x), atol=5e-3)


def test_regression_is_ridge(make_spec: SpecMaker) -> None:
    x = _features()
    y = (x @ [1, 2, 0, 0, -1] + 3).astype(np.float32)
    spec = make_spec(task="regression")
    assert parameter_name(spec) == "alpha"
    found = list(candidates(spec, x, y))
    assert [model.value for model in found] == list(PENALTIES)
    for model in found:
        theirs = Ridge(alpha=model.value).fit(x.astype(float), y.astype(float)).predict(x)
        np.testing.assert_allclose(model.outputs(x), theirs, atol=1e-5)


@pytest.mark.parametrize("present", [(0, 2), (1, 2), (0, 2, 3)])
def test_a_class_that_training_lacks_is_never_predicted(
    present: tuple[int, ...], make_spec: SpecMaker
) -> None:
    x = _features()
    y = np.array(present)[np.digitize(x[:, 0], np.linspace(-0.5, 0.5, len(present) - 1))]
    for model in candidates(make_spec(task="multiclass", n_classes=4), x, y):
        outputs = model.outputs(x)
        assert outputs.shape == (80, 4)
        assert np.isfinite(outputs).all()
        assert set(outputs.argmax(axis=1)) <= set(present)
    assert (outputs.argmax(axis=1) == y).mean() > 0.8


def test_one_class_cannot_be_learnt(make_spec: SpecMaker) -> None:
    with pytest.raises(DataError, match="all training windows are 'class 1'; a classifier needs two"):
        list(candidates(make_spec(task="binary"), _features(), np.ones(80, dtype=int)))


def test_a_fit_that_was_cut_short_says_so(make_spec: SpecMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    x = _features()
    y = (x[:, 0] > 0).astype(int)
    assert all(model.converged for model in candidates(make_spec(task="binary"), x, y))
    monkeypatch.setattr(linear_model, "MAX_ITERATIONS", 1)
    assert not any(model.converged for model in candidates(make_spec(task="binary"), x, y))
