"""What holds for every balancing: the total, the record, resuming, steps that were refused."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from neuroprism.core.errors import ConfigError, UnknownNameError, UserError
from neuroprism.core.records import Component, EpochRecord
from neuroprism.monitor import read_events
from neuroprism.train import HardwareConfig, Trainer, load_checkpoint
from neuroprism.train.balancing import AGGREGATORS, balancings, build_balancing

NAMES = sorted(balancings)
COMPONENTS = (
    Component(name="a", label="A", weight=2.0),
    Component(name="b", label="B", weight=1.0, baseline=1.0),
    Component(name="c", label="C", weight=0.0),
)
GRAM = torch.tensor([[4.0, -1.0, 0.5], [-1.0, 1.0, 0.1], [0.5, 0.1, 9.0]])


def built(name: str) -> Any:
    balancing = build_balancing(name, COMPONENTS)
    assert balancing is not None
    return balancing


def learn(
    balancing: Any, n: int, *, applied: bool = True, losses: tuple[float, ...] = (3.0, 0.5, 1.0)
) -> None:
    for _ in range(n):
        balancing.weights(GRAM)
        balancing.learn(
            torch.tensor(losses), torch.ones(3, dtype=torch.bool), GRAM, applied=torch.tensor(applied)
        )


def test_fixed_weights_need_nothing() -> None:
    assert build_balancing("fixed", COMPONENTS) is None


def test_a_wrong_name_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'gradnorm'"):
        build_balancing("gradnrom", COMPONENTS)


@pytest.mark.parametrize("name", NAMES)
def test_a_weight_of_0_stays_and_none_is_negative(name: str) -> None:
    balancing = built(name)
    for _ in range(30):
        weights = balancing.weights(GRAM)
        assert weights[2] == 0
        assert (weights >= 0).all()
        assert weights.sum() > 0
        learn(balancing, 1)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_learnt_from_a_step_that_was_refused(name: str) -> None:
    balancing = built(name)
    learn(balancing, 3)
    before = balancing.state_dict()
    learn(balancing, 2, applied=False, losses=(math.nan, math.inf, 1.0))
    flat = [
        torch.stack(list(tensors))
        for tensors in zip(flatten(before), flatten(balancing.state_dict()), strict=True)
    ]
    assert all(torch.equal(pair[0].nan_to_num(7.0), pair[1].nan_to_num(7.0)) for pair in flat)


def flatten(state: Any) -> list[torch.Tensor]:
    if isinstance(state, torch.Tensor):
        return [state]
    return (
        [tensor for value in state.values() for tensor in flatten(value)] if isinstance(state, dict) else []
    )


@pytest.mark.parametrize("name", NAMES)
def test_state_goes_on_where_it_stopped(name: str) -> None:
    whole, first, second = built(name), built(name), built(name)
    learn(whole, 8)
    learn(first, 5)
    assert second.load_state_dict(first.state_dict())
    learn(second, 3)
    torch.manual_seed(0)
    expected = whole.weights(GRAM)
    torch.manual_seed(0)
    assert torch.equal(second.weights(GRAM), expected)
    assert not second.load_state_dict({**first.state_dict(), "name": "another"})


@pytest.mark.parametrize("name", sorted(AGGREGATORS))
def test_a_missing_package_is_one_line_that_names_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(UserError, match=r'needs torchjd.*pip install "neuroprism\[torchjd\]"'):
        build_balancing(name, COMPONENTS)


# --- in a run ---------------------------------------------------------------------------------------------


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]


@pytest.fixture
def train(make_run: Any, open_monitor: Any, toy: Any) -> Any:
    def run(name: str, balancing: str, *, folder: str, resume: bool = False, **options: Any) -> Any:
        training = toy.config(**options)
        place = make_run().folder.parent / folder
        checkpoint = load_checkpoint(place) if resume else None
        monitor = open_monitor(training, folder, resume=checkpoint)
        task = toy.Task(dropout=0.2)
        task.balancing = build_balancing(balancing, task.components)
        made = make_run(training, task=task, monitor=monitor, name=folder)
        made.fit(resume=checkpoint)
        monitor.close()
        return made

    return run


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("accumulation", [1, 2])
def test_total_is_the_sum_of_effective_weight_times_component(
    train: Any, name: str, accumulation: int
) -> None:
    folder = train("run", name, folder="run", accumulation_steps=accumulation).folder
    found = rows(folder)
    for row in found:
        total = sum(row[f"weight/{one}"] * row[f"loss/{one}"] for one in ("number", "kind"))
        assert row["loss/total"] == pytest.approx(total, rel=1e-9)
    # The gradients of the two hardly ever oppose each other, which is all that dualproj looks for.
    assert len({row["weight/kind"] for row in found}) > 1 or name == "dualproj"
    for epoch in (event for event in read_events(folder) if isinstance(event, EpochRecord)):
        part = [row for row in found if row["epoch"] == epoch.epoch]
        total = sum(epoch.weights[one] * epoch.train[one] for one in ("number", "kind"))
        assert epoch.train["total"] == pytest.approx(total, rel=1e-9)
        assert (
            min(r["weight/kind"] for r in part)
            <= epoch.weights["kind"]
            <= max(r["weight/kind"] for r in part)
        )
        # Validation keeps the declared weights, so that epochs can be compared.
        assert epoch.val["total"] == pytest.approx(0.7 * epoch.val["number"] + 1.3 * epoch.val["kind"])


@pytest.mark.parametrize("name", ["uncertainty", "gradnorm", "pcgrad"])
def test_two_and_two_epochs_equal_four(train: Any, toy: Any, name: str) -> None:
    whole = train("run", name, folder="whole", epochs=4)
    train("run", name, folder="parts", epochs=2)
    parts = train("run", name, folder="parts", epochs=4, resume=True)
    assert rows(whole.folder) == rows(parts.folder)
    assert toy.same_weights(whole.task.model, parts.task.model)


@pytest.mark.parametrize("name", ["gradnorm", "upgrad"])
def test_a_compiled_network_cannot_be_balanced_by_gradients(make_run: Any, toy: Any, name: str) -> None:
    task = toy.Task()
    task.balancing = build_balancing(name, task.components)

    class Eager(Trainer):
        def _compile(self, model: Any) -> Any:
            return torch.compile(model, backend="eager")

    hardware = HardwareConfig(device="cpu", compile_model=True)
    run = make_run(task=task, trainer_class=Eager, hardware=hardware)
    with pytest.raises(ConfigError, match=f"loss.balancing={name} .* set hardware.compile_model to false"):
        run.fit()
