"""Running baselines: fitted on training windows, chosen on validation, tested once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from neuroprism.core.errors import DataError
from neuroprism.core.records import Split
from neuroprism.core.registry import Registry
from neuroprism.eeg.baselines.band_power import BandPowerFeatures
from neuroprism.eeg.baselines.chance import RANDOM_ORDER, chance_metrics
from neuroprism.eeg.baselines.linear_model import (
    MAX_ITERATIONS,
    LinearModel,
    Standardiser,
    candidates,
    parameter_name,
)
from neuroprism.eeg.baselines.results import BaselineResult, Tried
from neuroprism.eeg.baselines.split_windows import Matrix, SplitWindows, WindowSource
from neuroprism.eeg.baselines.tangent_space import TangentSpaceFeatures
from neuroprism.eeg.spec import DatasetSpec

N_THREADS = 1
"""Of the linear algebra: its matrices are small, and threads would spend more time waiting than working."""


class Features(Protocol):
    """Numbers that describe windows, possibly learnt from the training split."""

    notes: tuple[str, ...]

    def fit(self, train: SplitWindows) -> Matrix:
        """Learn from the training split; return its features (n, F)."""

    def transform(self, windows: SplitWindows) -> Matrix:
        """Return the features (n, F) of another split."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A baseline.

    Attributes
    ----------
    title
        For people; completed by the linear model that follows the features.
    features
        Makes the features; None for chance.
    transductive
        Whether the features of a window depend on other windows of its subject.
    """

    title: str
    features: Callable[[], Features] | None
    transductive: bool = False


METHODS: Registry[Method] = Registry("baseline method")
METHODS.register("band_power")(Method(title="log band power", features=BandPowerFeatures))
METHODS.register("riemann")(Method(title="tangent space", features=TangentSpaceFeatures))
METHODS.register("riemann_aligned")(
    Method(
        title="tangent space, subjects aligned (transductive)",
        features=lambda: TangentSpaceFeatures(aligned=True),
        transductive=True,
    )
)
METHODS.register("chance")(Method(title="chance", features=None))

STANDARD_METHODS = ("band_power", "riemann", "chance")
"""What `all` stands for."""


def run_baselines(
    store: WindowSource, methods: Sequence[str] = STANDARD_METHODS, *, seed: int = 0
) -> list[BaselineResult]:
    """Run baselines on the declared split of a store, on one core.

    Parameters
    ----------
    store
        An `EegStore`.
    methods
        Names from `METHODS`.
    seed
        Of the bootstrap over subjects; nothing else is random.

    Raises
    ------
    UnknownNameError
        If a method does not exist.
    DataError
        If there is nothing to train on or to choose by.
    """
    # A library can only be limited once it is loaded.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits

    chosen = {name: METHODS[name] for name in methods}
    train, val, test = SplitWindows(store, "train"), SplitWindows(store, "val"), SplitWindows(store, "test")
    for windows in (train, val):
        if not len(windows):
            raise DataError(_nothing(store.spec, windows.split))
    with threadpool_limits(N_THREADS):
        return [_run(name, method, train, val, test, seed=seed) for name, method in chosen.items()]


def _run(
    name: str, method: Method, train: SplitWindows, val: SplitWindows, test: SplitWindows, *, seed: int
) -> BaselineResult:
    start = time.perf_counter()
    if method.features is None:
        result = _chance(name, train, val, test)
    else:
        result = _linear(name, method, method.features(), train, val, test, seed=seed)
    notes = list(result.notes)
    if not len(test):
        notes.append("no window belongs to the test split, so there are no test results")
    return msgspec.structs.replace(result, notes=notes, seconds=time.perf_counter() - start)


def _chance(name: str, train: SplitWindows, val: SplitWindows, test: SplitWindows) -> BaselineResult:
    spec = train.store.spec
    return BaselineResult(
        method=name,
        title="chance (training mean)" if spec.task == "regression" else "chance (majority class)",
        n_features=0,
        val=chance_metrics(spec, train.y, val),
        test=chance_metrics(spec, train.y, test),
        seconds=0.0,
        notes=[RANDOM_ORDER] if spec.task == "binary" else [],
    )


def _linear(
    name: str,
    method: Method,
    features: Features,
    train: SplitWindows,
    val: SplitWindows,
    test: SplitWindows,
    *,
    seed: int,
) -> BaselineResult:
    spec, subjects = train.store.spec, train.store.subjects
    x = features.fit(train)
    standardiser = Standardiser(x)
    x, x_val = standardiser.apply(x), standardiser.apply(features.transform(val))
    model, tried = _choose(candidates(spec, x, train.y), x_val, val)
    notes = list(features.notes)
    if not model.converged:
        notes.append(
            f"{parameter_name(spec)} = {model.value:g}: not converged in {MAX_ITERATIONS} iterations"
        )
    if method.transductive:
        notes.append("transductive: uses unlabelled windows of the evaluated subjects")
    on_val = val.pool(model.outputs(x_val))
    # Only now, with everything chosen, are test windows read.
    on_test = test.pool(model.outputs(standardiser.apply(features.transform(test)))) if len(test) else None
    kind = "ridge regression" if spec.task == "regression" else "logistic regression"
    return BaselineResult(
        method=name,
        title=f"{method.title} + {kind}",
        transductive=method.transductive,
        parameter=parameter_name(spec),
        chosen=model.value,
        tried=tried,
        n_features=x.shape[1],
        val=on_val.metrics(),
        test=on_test.metrics() if on_test else {},
        val_intervals=on_val.intervals(subjects, seed=seed),
        intervals=on_test.intervals(subjects, seed=seed) if on_test else {},
        per_subject=on_test.per_subject(subjects) if on_test else {},
        seconds=0.0,
        notes=notes,
    )


def _choose(
    models: Iterable[LinearModel], x_val: Matrix, val: SplitWindows
) -> tuple[LinearModel, list[Tried]]:
    """Return the model with the best validation criterion; of equal ones the most regularised."""
    spec = val.store.spec
    best: tuple[float, LinearModel] | None = None
    tried = []
    for model in models:
        criterion = val.pool(model.outputs(x_val)).metrics().get(spec.criterion)
        tried.append(Tried(value=model.value, criterion=criterion))
        if criterion is not None and (best is None or criterion > best[0]):
            best = criterion, model
    if best is None:
        raise DataError(
            f"{spec.name}: {spec.criterion} is undefined on the validation split, so nothing can be chosen "
            "by it; prepare more subjects"
        )
    return best[1], tried


def _nothing(spec: DatasetSpec, split: Split) -> str:
    return f"{spec.name}: no window belongs to the split '{split}'; prepare more subjects"
