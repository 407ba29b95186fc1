"""No step is made from a non-finite loss or gradient: at once on the CPU, by a flag elsewhere.

The flag's mechanism is proven on the CPU with the fused optimizers, which read
``found_inf`` exactly as on a GPU.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.utils._python_dispatch import TorchDispatchMode

from neuroprism.core.errors import TrainingError
from neuroprism.train.non_finite_guard import NonFiniteGuard
from neuroprism.train.running_statistics import RunningStatistics
from neuroprism.train.step_recorder import StepRecord, StepRecorder

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adam": lambda p, **k: Adam(p, lr=0.1, **k),
    "adamw": lambda p, **k: AdamW(p, lr=0.1, weight_decay=0.1, **k),
    "amsgrad": lambda p, **k: AdamW(p, lr=0.1, amsgrad=True, **k),
    "sgd": lambda p, **k: SGD(p, lr=0.1, **k),
    "momentum": lambda p, **k: SGD(p, lr=0.1, momentum=0.9, **k),
    "nesterov": lambda p, **k: SGD(p, lr=0.1, momentum=0.9, nesterov=True, **k),
}
CPU = torch.device("cpu")


def weights() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(n, generator=generator)) for n in (3, 5)]


def gradients(step: int, *, bad: bool) -> list[Tensor]:
    generator = torch.Generator().manual_seed(step)
    values = [torch.randn(n, generator=generator) for n in (3, 5)]
    return [v * math.nan for v in values] if bad else values


def walk(
    optimizer: Optimizer, parameters: list[nn.Parameter], *, bad: set[int], n: int, guard: NonFiniteGuard
) -> None:
    for step in range(n):
        for parameter, gradient in zip(parameters, gradients(step, bad=step in bad), strict=True):
            parameter.grad = gradient
        norm = torch.tensor(math.nan if step in bad else 1.0)
        refused = guard.judge(torch.tensor(2.0), norm)
        if refused is not True:
            optimizer.step()


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("first_bad", [0, 3])
def test_skip_leaves_out_the_bad_step_only(name: str, first_bad: int) -> None:
    flagged, plain = weights(), weights()
    fused = OPTIMIZERS[name](flagged, fused=True)
    simple = OPTIMIZERS[name](plain, fused=True)
    guard = NonFiniteGuard(fused, policy="skip", device=CPU, deferred=True)
    walk(fused, flagged, bad={first_bad}, n=8, guard=guard)
    immediate = NonFiniteGuard(simple, policy="skip", device=CPU)
    assert not immediate.deferred
    walk(simple, plain, bad={first_bad}, n=8, guard=immediate)
    for one, other in zip(flagged, plain, strict=True):
        assert torch.isfinite(one).all()
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_stop_freezes_weights_and_moments_from_the_bad_step_on(name: str) -> None:
    flagged, plain = weights(), weights()
    fused = OPTIMIZERS[name](flagged, fused=True)
    guard = NonFiniteGuard(fused, policy="stop", device=CPU, deferred=True)
    walk(fused, flagged, bad={4}, n=4, guard=guard)
    before = copy.deepcopy(fused.state_dict()["state"])
    walk(fused, flagged, bad={0}, n=5, guard=guard)
    simple = OPTIMIZERS[name](plain, fused=True)
    walk(simple, plain, bad=set(), n=4, guard=NonFiniteGuard(simple, policy="stop", device=CPU))
    assert all(torch.equal(one, other) for one, other in zip(flagged, plain, strict=True))
    for index, state in fused.state_dict()["state"].items():
        for key, value in state.items():
            assert value is None or torch.equal(value, before[index][key]), key


@pytest.mark.parametrize(
    ("total", "norm", "bad"),
    [(1.0, 1.0, False), (math.nan, 1.0, True), (1.0, math.inf, True), (-math.inf, math.nan, True)],
)
@pytest.mark.parametrize("deferred", [False, True])
def test_total_and_norm_are_both_looked_at(total: float, norm: float, bad: bool, deferred: bool) -> None:
    guard = NonFiniteGuard(AdamW(weights(), fused=True), policy="skip", device=CPU, deferred=deferred)
    verdict = guard.judge(torch.tensor(total), torch.tensor(norm))
    assert isinstance(verdict, Tensor) is deferred
    assert bool(verdict) is bad


def test_optimizer_without_the_mechanism_is_looked_at_at_once() -> None:
    guard = NonFiniteGuard(Adam(weights()), policy="stop", device=torch.device("meta"))
    assert not guard.deferred
    with pytest.raises(ValueError, match="not fused"):
        NonFiniteGuard(Adam(weights()), policy="stop", device=CPU, deferred=True)


class CountReads(TorchDispatchMode):
    """Counts every place where a value leaves PyTorch: on a GPU each would wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.n += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def record(refused: bool | Tensor, value: float = 1.0, **more: Any) -> StepRecord:
    fields: dict[str, Any] = {
        "losses": {"number": torch.tensor(value), "kind": torch.tensor(2.0)},
        "counts": {},
        "grad_norm": torch.tensor(math.nan),
        "lr": 0.1,
        "n_samples": 4,
        "metrics": {},
        "samples": None,
    }
    return StepRecord(refused=refused, **(fields | more))


def test_verdicts_are_read_every_log_frequency_steps_and_not_between(toy: Any) -> None:
    monitor = toy.Monitor()
    recorder = StepRecorder(monitor, policy="skip", log_frequency=4, max_delay_seconds=1e9)
    flags = [torch.tensor(float(bad)) for bad in (0, 1, 0, 0)]
    records = [record(flag) for flag in flags]
    with CountReads() as reads:
        for one in records[:3]:
            recorder.add(one)
    assert (reads.n, monitor.n_steps) == (0, 0)
    recorder.add(records[3])
    assert [step["skipped"] for step in monitor.steps] == [False, True, False, False]


def test_verdicts_are_read_after_a_while_too(toy: Any) -> None:
    monitor = toy.Monitor()
    recorder = StepRecorder(monitor, policy="skip", log_frequency=100, max_delay_seconds=-1.0)
    recorder.add(record(torch.tensor(0.0)))
    assert monitor.n_steps == 1


@pytest.mark.parametrize("as_flag", [False, True])
def test_stop_records_the_bad_step_and_names_the_component(toy: Any, as_flag: bool) -> None:
    monitor = toy.Monitor()
    recorder = StepRecorder(monitor, policy="stop", log_frequency=100)
    good, bad = (torch.tensor(0.0), torch.tensor(1.0)) if as_flag else (False, True)
    recorder.add(record(good))

    def finish() -> None:
        recorder.add(record(bad, math.nan))
        recorder.add(record(bad))
        recorder.settle()

    with pytest.raises(
        TrainingError, match="loss component number is NaN at step 2; the step was not applied"
    ):
        finish()
    assert [step["skipped"] for step in monitor.steps] == [False, False]


def test_stop_names_the_gradient_where_the_losses_are_finite(toy: Any) -> None:
    recorder = StepRecorder(toy.Monitor(), policy="stop", log_frequency=1)
    with pytest.raises(TrainingError, match="the gradient norm is NaN while every loss component is finite"):
        recorder.add(record(True))


def test_overflow_of_the_loss_scale_is_recorded_and_no_reason_to_stop(toy: Any) -> None:
    monitor = toy.Monitor()
    StepRecorder(monitor, policy="stop", log_frequency=1).add(record(True, overflow=True))
    assert monitor.steps[0]["skipped"]


@pytest.mark.parametrize("as_flag", [False, True])
@pytest.mark.parametrize("bad", [False, True])
def test_running_statistics_forget_a_refused_step(as_flag: bool, bad: bool) -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    statistics = RunningStatistics(net)
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    net(x)
    before = {name: value.clone() for name, value in net.named_buffers()}
    statistics.keep()
    net(x * math.nan if bad else x)
    statistics.take_back(refused=torch.tensor(float(bad)) if as_flag else bad)
    for name, value in net.named_buffers():
        assert torch.equal(value, before[name]) is bad
