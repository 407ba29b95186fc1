"""Merging the shares of a step, and when they are exchanged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from neuroprism.core.errors import TrainingError
from neuroprism.train import shared_recorder
from neuroprism.train.processes import AgreedInterrupt
from neuroprism.train.shared_recorder import SharedStepRecorder, merge, on_host
from neuroprism.train.step_recorder import StepRecord


def record(**changes: Any) -> StepRecord:
    values: dict[str, Any] = {
        "losses": {"number": 2.0, "kind": 1.0},
        "counts": {"number": 3.0},
        "grad_norm": 0.5,
        "lr": 0.1,
        "n_samples": 8,
        "metrics": {},
        "samples": None,
        "refused": False,
    }
    return StepRecord(**(values | changes))


def test_components_are_means_over_all_processes() -> None:
    merged = merge([record(), record(losses={"number": 7.0, "kind": 2.0}, counts={"number": 1.0})])
    assert merged.losses == {"number": (2.0 + 7.0) / 2, "kind": 1.5}
    assert merged.counts == {"number": 4.0, "kind": 16.0}
    assert (merged.n_samples, merged.grad_norm, merged.lr) == (16, 0.5, 0.1)


def test_a_share_without_valid_elements_counts_nothing() -> None:
    empty = {"losses": {"number": 0.0, "kind": 1.0}, "counts": {"number": 0}}
    assert merge([record(), record(**empty)]).counts["number"] == 3.0
    nobody = merge([record(**empty), record(**empty)])
    assert nobody.counts["number"] == 0


def test_nan_of_one_share_is_not_averaged_away() -> None:
    merged = merge([record(), record(losses={"number": math.nan, "kind": math.inf})])
    assert math.isnan(merged.losses["number"])
    assert merged.losses["kind"] == math.inf


def test_metrics_are_weighted_by_samples_and_equal_ones_stay_to_the_last_bit() -> None:
    shares = [
        record(metrics={"lr_head": 0.1, "ratio": 1.0, "rare": 5.0}, n_samples=3),
        record(metrics={"lr_head": 0.1, "ratio": 4.0}, n_samples=6),
    ]
    assert merge(shares).metrics == {"lr_head": 0.1, "ratio": 3.0, "rare": 5.0}


def test_a_share_that_is_not_finite_is_named_with_its_samples() -> None:
    bad = record(losses={"number": 2.0, "kind": math.nan}, samples=[3, 4])
    merged = merge([record(samples=[1, 2]), bad])
    assert (merged.culprits, merged.samples) == ((1,), [{"process": 1, "samples": [3, 4]}])
    # What was not computed is no fault.
    absent = record(losses={"number": math.nan, "kind": 1.0}, counts={"number": 0})
    assert merge([record(), absent]).culprits == ()


def test_every_culprit_is_told_once(toy: Any, clock: Any) -> None:
    shared = recorder(toy, Twins(), policy="skip")
    for _ in range(3):
        shared.add(record(refused=True, losses={"number": math.nan, "kind": 1.0}))
    shared.settle()
    assert shared._monitor.notes == ["Step 1: loss component number is NaN in process 0, 1"]


def test_samples_are_named_as_one_process_would_name_them() -> None:
    assert merge([record(samples=[1, 2]), record(samples=[3, 4])]).samples == [1, 2, 3, 4]
    assert merge([record(samples={"a": 1}), record(samples={"a": 2})]).samples == [{"a": 1}, {"a": 2}]
    assert merge([record(), record()]).samples is None


def test_numbers_come_to_the_host_in_their_places() -> None:
    kept = record(
        losses={"number": torch.tensor(2.5), "kind": torch.tensor([0.5], dtype=torch.float64)},
        counts={"number": torch.tensor(7)},
        metrics={"a": torch.tensor(3.0), "b": 4.0},
        grad_norm=torch.tensor(1.5),
        refused=torch.tensor(1.0),
        samples=torch.tensor([4, 5]),
    )
    one, other = on_host([kept, record()])
    assert one == record(
        losses={"number": 2.5, "kind": 0.5},
        counts={"number": 7},
        metrics={"a": 3.0, "b": 4.0},
        grad_norm=1.5,
        refused=True,
        samples=[4, 5],
    )
    assert other == record()


class Twins:
    """Two processes that always do the same."""

    n_exchanges = 0

    def gather(self, value: Any) -> list[Any]:
        self.n_exchanges += 1
        return [value, value]

    @contextmanager
    def agreeing(self) -> Iterator[None]:
        yield


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a clock that only moves by hand."""

    class Clock:
        time = 0.0

        def monotonic(self) -> float:
            return self.time

    found = Clock()
    monkeypatch.setattr(shared_recorder, "time", found)
    return found


class Flag:
    requested = terminated = False


def recorder(toy: Any, twins: Twins, **changes: Any) -> SharedStepRecorder:
    values = {"policy": "stop", "log_frequency": 20, "flag": Flag()} | changes
    return SharedStepRecorder(toy.Monitor(), processes=twins, **values)  # type: ignore[arg-type]


def exchanges(shared: SharedStepRecorder, twins: Twins, clock: Any, *, seconds: float, n: int) -> list[int]:
    """Return the numbers of the steps, from 1, after which the processes spoke."""
    found = []
    for step in range(1, n + 1):
        before = twins.n_exchanges
        shared.add(record())
        clock.time += seconds
        found += [step] if twins.n_exchanges > before else []
    return found


def test_fast_steps_are_exchanged_log_frequency_apart(toy: Any, clock: Any) -> None:
    twins = Twins()
    assert exchanges(recorder(toy, twins), twins, clock, seconds=1e-3, n=75) == [1, 3, 7, 15, 31, 51, 71]


def test_slow_steps_are_exchanged_a_second_apart(toy: Any, clock: Any) -> None:
    twins = Twins()
    shared = recorder(toy, twins)
    assert exchanges(shared, twins, clock, seconds=0.3, n=13) == [1, 3, 6, 9, 12]
    very_slow = recorder(toy, twins)
    assert exchanges(very_slow, twins, clock, seconds=30.0, n=5) == [1, 3, 4, 5]


def test_settling_records_the_rest(toy: Any, clock: Any) -> None:
    twins = Twins()
    shared = recorder(toy, twins)
    for _ in range(6):
        shared.add(record())
    shared.settle()
    assert shared._monitor.n_steps == 6
    n = twins.n_exchanges
    shared.settle()
    assert twins.n_exchanges == n


def test_a_refused_step_ends_at_once(toy: Any, clock: Any) -> None:
    shared = recorder(toy, Twins())
    for _ in range(4):
        shared.add(record())
    with pytest.raises(TrainingError, match="number is NaN in process 0, 1 at step 5"):
        shared.add(record(refused=True, losses={"number": math.nan, "kind": 1.0}))
    assert shared._monitor.n_steps == 5


def test_an_overflow_of_the_loss_scale_ends_nothing(toy: Any, clock: Any) -> None:
    shared = recorder(toy, Twins())
    shared.add(record(refused=True, overflow=True))
    assert shared._monitor.n_steps == 1


@pytest.mark.parametrize("terminated", [False, True])
def test_an_interrupt_waits_for_the_exchange_and_records_first(
    toy: Any, clock: Any, terminated: bool
) -> None:
    flag = Flag()
    shared = recorder(toy, Twins(), flag=flag)
    shared.add(record())
    flag.requested, flag.terminated = True, terminated
    shared.add(record())
    with pytest.raises(AgreedInterrupt) as caught:
        shared.add(record())
    assert caught.value.terminated == terminated
    assert shared._monitor.n_steps == 3


def test_ids_are_kept_as_they_were(toy: Any, clock: Any) -> None:
    shared = recorder(toy, Twins())
    shared.add(record())
    ids = torch.tensor([1, 2])
    shared.add(record(samples=ids))
    ids += 10
    shared.settle()
    assert shared._monitor.steps[-1]["samples"] == [1, 2, 1, 2]
