"""Learning-rate traces against torch.optim.lr_scheduler, and as golden numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import SGD, Optimizer, lr_scheduler

from neuroprism.core.errors import ConfigError
from neuroprism.train.config import TrainingConfig
from neuroprism.train.schedules import Schedule

PEAK, STEPS, EPOCHS = 0.2, 5, 8
TOTAL = STEPS * EPOCHS


def schedule(*, maximize: bool = False, **options: Any) -> Schedule:
    training = TrainingConfig.model_validate(
        {"epochs": EPOCHS, "optimizer": {"type": "sgd", "learning_rate": PEAK}, "scheduler": options}
    )
    return Schedule(
        training.scheduler, learning_rate=PEAK, steps_per_epoch=STEPS, epochs=EPOCHS, maximize=maximize
    )


def trace(own: Schedule, n: int = TOTAL) -> list[float]:
    return [PEAK * own.factor(step) for step in range(n)]


def torch_trace(build: Callable[[Optimizer], Any], n: int = TOTAL) -> list[float]:
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    scheduler = build(optimizer)
    rates = []
    for _ in range(n):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates


ORACLES: dict[str, tuple[dict[str, Any], Callable[[Optimizer], Any]]] = {
    "constant": ({"type": "constant"}, lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
    "step": (
        {"type": "step", "step_size": 2, "gamma": 0.3},
        lambda o: lr_scheduler.StepLR(o, step_size=2 * STEPS, gamma=0.3),
    ),
    "multistep": (
        {"type": "multistep", "milestones": [1, 4.4], "gamma": 0.3},
        lambda o: lr_scheduler.MultiStepLR(o, milestones=[5, 22], gamma=0.3),
    ),
    "exponential": (
        {"type": "exponential", "gamma": 0.7},
        lambda o: lr_scheduler.ExponentialLR(o, gamma=0.7 ** (1 / STEPS)),
    ),
    "cosine": (
        {"type": "cosine_annealing", "eta_min": 0.01},
        lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=TOTAL, eta_min=0.01),
    ),
    "restarts": (
        {"type": "cosine_annealing_warm_restarts", "T_0": 1, "T_mult": 2, "eta_min": 0.01},
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=STEPS, T_mult=2, eta_min=0.01),
    ),
    "equal restarts": (
        {"type": "cosine_annealing_warm_restarts", "T_0": 3, "eta_min": 0.0},
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=3 * STEPS),
    ),
    "one cycle": (
        {"type": "one_cycle", "pct_start": 0.25},
        lambda o: lr_scheduler.OneCycleLR(o, PEAK, total_steps=TOTAL, pct_start=0.25, cycle_momentum=False),
    ),
    "linear one cycle": (
        {"type": "one_cycle", "div_factor": 10, "final_div_factor": 100, "anneal_strategy": "linear"},
        lambda o: lr_scheduler.OneCycleLR(
            o,
            PEAK,
            total_steps=TOTAL,
            anneal_strategy="linear",
            div_factor=10,
            final_div_factor=100,
            cycle_momentum=False,
        ),
    ),
}


@pytest.mark.parametrize("name", ORACLES)
def test_trace_equals_torch(name: str) -> None:
    options, oracle = ORACLES[name]
    n = TOTAL - 1 if "cycle" in name else TOTAL
    assert trace(schedule(**options), n) == pytest.approx(torch_trace(oracle, n), rel=1e-9)


@pytest.mark.parametrize("name", [name for name in ORACLES if "cycle" not in name and name != "cosine"])
@pytest.mark.parametrize("warmup", [{"warmup_steps": 7}, {"warmup_epochs": 1.4}], ids=["steps", "epochs"])
def test_warmup_composes_as_in_torch(name: str, warmup: dict[str, float]) -> None:
    options, oracle = ORACLES[name]

    def build(optimizer: Optimizer) -> Any:
        rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / 8, total_iters=7)
        return lr_scheduler.SequentialLR(optimizer, [rise, oracle(optimizer)], milestones=[7])

    assert trace(schedule(**options, **warmup)) == pytest.approx(torch_trace(build), rel=1e-9)


@pytest.mark.parametrize("name", ORACLES)
def test_warmup_rises_linearly_to_where_the_schedule_begins(name: str) -> None:
    options, _ = ORACLES[name]
    warm, cold = trace(schedule(**options, warmup_steps=4)), trace(schedule(**options))
    assert warm[:4] == pytest.approx([cold[0] * k / 5 for k in (1, 2, 3, 4)])
    assert warm[4] == pytest.approx(cold[0])
    assert len(set(warm)) > 1


def test_cosine_and_one_cycle_fill_what_the_warmup_leaves() -> None:
    cosine = schedule(type="cosine_annealing", eta_min=0.01, warmup_steps=10)
    assert PEAK * cosine.factor(TOTAL) == pytest.approx(0.01)
    assert PEAK * cosine.factor(10 + 15) == pytest.approx((PEAK + 0.01) / 2)
    cycle = schedule(type="one_cycle", warmup_steps=10)
    assert cycle.factor(TOTAL - 1) == pytest.approx(1 / 25 / 1e4)


GOLDEN = {
    "cosine_annealing": {0: 1.0, 10: 0.853553, 20: 0.5, 30: 0.146447, 40: 0.0},
    "exponential": {0: 1.0, 10: 0.9025, 20: 0.814506, 40: 0.663420},
    "one_cycle": {0: 0.04, 11: 1.0, 25: 0.500002, 39: 0.000004},
    "cosine_annealing_warm_restarts": {0: 1.0, 20: 0.956773, 39: 0.842274},
    "step": {0: 1.0, 39: 1.0},
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_values(name: str) -> None:
    own = schedule(type=name, **({"eta_min": 0.0} if "cosine" in name else {}))
    assert {k: own.factor(k) for k in GOLDEN[name]} == pytest.approx(GOLDEN[name], abs=1e-6)


def test_cosine_stays_at_its_minimum() -> None:
    own = schedule(type="cosine_annealing", T_max=2, eta_min=0.01)
    assert all(PEAK * own.factor(step) == pytest.approx(0.01) for step in range(2 * STEPS, TOTAL))


VALUES = [1.0, 0.9, 0.95, 0.93, 0.92, 0.91, 0.89999, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, math.nan, 0.7, 0.8, 0.9]


@pytest.mark.parametrize("maximize", [False, True])
def test_plateau_follows_torch(maximize: bool) -> None:
    options = {"factor": 0.5, "patience": 1, "threshold": 1e-3, "cooldown": 1, "min_lr": 0.03}
    own = schedule(type="reduce_on_plateau", maximize=maximize, **options)
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    oracle = lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max" if maximize else "min", threshold_mode="abs", eps=0.0, **options
    )
    rates = set()
    for value in VALUES:
        signed = -value if maximize else value
        own.observe(signed, step=3)
        oracle.step(signed)
        assert PEAK * own.factor(3) == pytest.approx(optimizer.param_groups[0]["lr"])
        rates.add(own.factor(3))
    assert len(rates) >= 3


def test_plateau_is_patient_during_the_warmup_and_composes_with_it() -> None:
    own = schedule(type="reduce_on_plateau", patience=0, warmup_steps=4)
    for _ in range(5):
        own.observe(1.0, step=2)
    assert own.factor(1) == pytest.approx(2 / 5)
    own.observe(1.0, step=9)
    assert own.factor(9) == pytest.approx(0.5)
    assert own.factor(1) == pytest.approx(0.5 * 2 / 5)


def test_plateau_state_is_restored() -> None:
    first = schedule(type="reduce_on_plateau", patience=1)
    for value in VALUES[:6]:
        first.observe(value, step=1)
    second = schedule(type="reduce_on_plateau", patience=1)
    second.load_state_dict(first.state_dict())
    for value in VALUES[6:]:
        first.observe(value, step=1)
        second.observe(value, step=1)
        assert first.factor(1) == second.factor(1)


def test_every_group_keeps_its_share() -> None:
    own = schedule(type="cosine_annealing")
    groups = [
        {"params": [torch.zeros(1, requires_grad=True)], "lr": rate, "base_lr": rate}
        for rate in (PEAK, 0.001)
    ]
    optimizer = SGD(groups)
    for step in range(TOTAL):
        assert own.apply(optimizer, step) == pytest.approx(PEAK * own.factor(step))
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([PEAK * own.factor(step), 0.001 * own.factor(step)])


def test_warmup_longer_than_training_is_refused() -> None:
    with pytest.raises(ConfigError, match="40 steps of warm-up, but the whole training has 40"):
        schedule(type="constant", warmup_steps=TOTAL)
