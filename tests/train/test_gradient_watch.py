"""When gradients are looked at, and what is said of them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from torch import nn

from neuroprism.core.records import Component, Gradients
from neuroprism.monitor import read_events
from neuroprism.train import Checkpoint, HardwareConfig, Trainer, load_checkpoint
from neuroprism.train.gradient_watch import GradientWatch
from neuroprism.train.task import LossTerms


def looks(folder: Any) -> list[Gradients]:
    return [event for event in read_events(folder) if isinstance(event, Gradients)]


@pytest.fixture
def train(make_run: Any, open_monitor: Any, toy: Any) -> Any:
    def run(name: str, training: Any, *, resume: Checkpoint | None = None, **more: Any) -> Any:
        monitor = open_monitor(training, name, resume=resume, sinks=None)
        made = make_run(training, monitor=monitor, name=name, **more)
        made.fit(resume=resume)
        monitor.close()
        return made

    return run


def test_first_step_and_every_nth_are_looked_at(train: Any, toy: Any) -> None:
    run = train("run", toy.config(epochs=3, gradient_clip=0.5), gradients_every_n_steps=4)
    records = looks(run.folder)
    assert [record.step for record in records] == [1, 4, 8, 12, 16]
    assert [record.epoch for record in records] == [1, 1, 2, 2, 3]
    for record in records:
        assert set(record.norms) == {"number", "kind"}
        assert all(norm > 0 for norm in record.norms.values())
        assert list(record.cosines) == ["number|kind"]
        assert -1 <= record.cosines["number|kind"] <= 1
        assert record.clip_rate is not None
        assert 0 <= record.clip_rate <= 1
        assert set(record.update_ratios) == {"body", "number", "kind"}
        assert all(0 < ratio < 1 for ratio in record.update_ratios.values())


def test_clip_rate_counts_the_steps_since_the_last_look(train: Any, toy: Any) -> None:
    training = toy.config(epochs=2, gradient_clip=3.0)
    run = train("run", training, gradients_every_n_steps=5)
    norms = [float(row["grad_norm"]) for row in rows(run.folder)]
    records = looks(run.folder)
    assert [record.step for record in records] == [1, 5, 10]
    for record, part in zip(records, (norms[:1], norms[1:5], norms[5:10]), strict=True):
        assert record.clip_rate == sum(norm > 3.0 for norm in part) / len(part)


def rows(folder: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]


def test_a_resumed_run_has_the_same_looks(train: Any, toy: Any) -> None:
    def settings(n: int) -> Any:
        return toy.config(epochs=n, gradient_clip=3.0)

    whole = train("whole", settings(4), gradients_every_n_steps=9)
    train("parts", settings(2), gradients_every_n_steps=9)
    parts = train(
        "parts",
        settings(4),
        resume=load_checkpoint(whole.folder.parent / "parts"),
        gradients_every_n_steps=9,
    )
    expected, found = ([(r.step, r.norms, r.clip_rate) for r in looks(run.folder)] for run in (whole, parts))
    assert found == expected
    assert [step for step, _, _ in found] == [1, 9, 18]


def test_update_ratios_are_norm_of_change_over_norm_of_weights() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    nn.init.zeros_(model[1].weight)
    nn.init.zeros_(model[1].bias)
    watch = GradientWatch(model, every_n_steps=1, gradient_clip=None)
    watch.begin_step(1)
    watch.before_update(torch.tensor(1.0))
    before = torch.cat([p.detach().flatten() for p in model[0].parameters()])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1)
    look = watch.after_update()
    assert look is not None
    # The second module began at zero: it has no ratio.
    assert look.update_ratios == {"0": pytest.approx(0.1 * math.sqrt(6) / float(before.norm()))}
    assert look.clip_rate is None
    assert look.norms == {}


def test_what_the_batch_did_not_compute_is_absent() -> None:
    watch = GradientWatch(nn.Linear(1, 1), every_n_steps=1, gradient_clip=None, takes_apart=True)
    watch.begin_step(1)
    values = dict.fromkeys("abcd", torch.zeros(()))
    gram = torch.tensor([[4.0, 3.0, 0, 0], [3.0, 9.0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    watch.see_components(gram, LossTerms(values=values, counts={"c": torch.tensor(0), "a": 3.0}))
    watch.before_update(torch.tensor(1.0))
    look = watch.after_update()
    assert look is not None
    assert look.norms == {"a": 2.0, "b": 3.0, "d": 0.0}
    # A cosine with a gradient of 0 does not exist.
    assert look.cosines == {"a|b": pytest.approx(0.5)}


def test_a_step_that_is_not_due_says_nothing_and_keeps_nothing() -> None:
    watch = GradientWatch(nn.Linear(1, 1), every_n_steps=10, gradient_clip=1.0)
    for step in range(2, 10):
        watch.begin_step(step)
        watch.before_update(torch.tensor(float(step)))
        assert watch.after_update() is None
        assert watch._before == []
    assert watch.state_dict() == {"n_clipped": 8, "n_seen": 8}


class OneComponent:
    """Mixed into a task: only the class is trained."""

    components = (Component(name="kind", label="Kind"),)

    def losses(self, model: Any, batch: Any) -> Any:
        terms = super().losses(model, batch)  # type: ignore[misc]
        return LossTerms(values={"kind": terms.values["kind"]})


def test_one_component_is_not_taken_apart(make_run: Any, toy: Any) -> None:
    seen: list[dict[str, Any]] = []

    class Watching(toy.Monitor):  # type: ignore[name-defined,misc]
        def gradients(self, **numbers: Any) -> None:
            seen.append(numbers)

    class Single(OneComponent, toy.Task):  # type: ignore[name-defined,misc]
        def evaluate(self, *arguments: Any, **options: Any) -> Any:
            evaluation = super().evaluate(*arguments, **options)
            evaluation.losses.pop("number")
            return evaluation

    monitor = Watching(OneComponent.components)
    make_run(toy.config(epochs=1), task=Single(), monitor=monitor, gradients_every_n_steps=3).fit()
    assert [numbers["norms"] for numbers in seen] == [{}, {}, {}]
    assert all(numbers["update_ratios"] for numbers in seen)
    assert monitor.notes == []


def test_a_compiled_network_is_left_whole_and_one_note_says_so(make_run: Any, toy: Any) -> None:
    seen: list[dict[str, Any]] = []

    class Watching(toy.Monitor):  # type: ignore[name-defined,misc]
        def gradients(self, **numbers: Any) -> None:
            seen.append(numbers)

    class Eager(Trainer):
        def _compile(self, model: nn.Module) -> nn.Module:
            return torch.compile(model, backend="eager")  # type: ignore[return-value]

    run = make_run(
        toy.config(epochs=1),
        monitor=Watching(),
        trainer_class=Eager,
        hardware=HardwareConfig(device="cpu", compile_model=True),
        gradients_every_n_steps=2,
    )
    run.fit()
    assert run.monitor.notes == ["Gradients are not taken apart by component: the network runs compiled"]
    assert all(numbers["norms"] == {} and numbers["update_ratios"] for numbers in seen)
    assert len(seen) == 4
