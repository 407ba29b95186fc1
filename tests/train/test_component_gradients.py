"""Gradients of single components, and that nobody notices that they were looked at."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from neuroprism.train import HardwareConfig, component_gradients, load_checkpoint
from neuroprism.train.component_gradients import cosines, shared_gram


def losses_of(task: Any, batch: Any) -> dict[str, Tensor]:
    return dict(task.losses(task.model, batch).values)


def first_batch(toy: Any) -> Any:
    return next(iter(toy.loaders()[0]))


def by_hand(task: Any, values: dict[str, Tensor], parameters: list[nn.Parameter]) -> Tensor:
    rows = []
    for value in values.values():
        found = torch.autograd.grad(value, parameters, retain_graph=True)
        rows.append(torch.cat([gradient.flatten() for gradient in found]))
    matrix = torch.stack(rows)
    return matrix @ matrix.T


def test_inner_products_are_those_on_the_trunk(toy: Any) -> None:
    task = toy.Task(dropout=0.0)
    values = losses_of(task, first_batch(toy))
    expected = by_hand(task, values, list(task.model.body.parameters()))
    gram = shared_gram(values, list(task.model.parameters()))
    torch.testing.assert_close(gram, expected)
    torch.testing.assert_close(shared_gram(values, list(task.model.parameters()), scale=64.0), expected)
    angle = cosines(gram)
    assert angle[0, 0] == pytest.approx(1)
    assert angle[0, 1] == pytest.approx(float(expected[0, 1] / (expected[0, 0] * expected[1, 1]).sqrt()))


def test_a_large_trunk_is_looked_at_in_parts(toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    task = toy.Task(dropout=0.0)
    values, parameters = losses_of(task, first_batch(toy)), list(task.model.parameters())
    whole = shared_gram(values, parameters)
    monkeypatch.setattr(component_gradients, "MOST_ELEMENTS", 40)
    assert len(list(component_gradients._parts(parameters, 2))) > 3
    torch.testing.assert_close(shared_gram(values, parameters), whole)


def test_a_head_of_two_is_no_part_of_the_trunk_of_three() -> None:
    trunk, head = nn.Linear(3, 4), nn.Linear(4, 2)
    hidden = trunk(torch.ones(5, 3))
    values = {
        "a": head(hidden)[:, 0].mean(),
        "b": head(hidden)[:, 1].square().mean(),
        "c": hidden.square().mean(),
    }
    expected = by_hand(None, values, list(trunk.parameters()))
    torch.testing.assert_close(shared_gram(values, [*trunk.parameters(), *head.parameters()]), expected)


def test_complex_parameters_count_with_both_parts() -> None:
    weight = nn.Parameter(torch.tensor([1 + 2j, 3 - 1j]))
    values = {"a": weight.abs().square().sum(), "b": weight.real.sum()}
    # The gradients are 2 w, and (1, 1) on the real parts.
    torch.testing.assert_close(shared_gram(values, [weight]), torch.tensor([[60.0, 8.0], [8.0, 2.0]]))


def test_what_shares_nothing_or_is_no_part_of_the_graph_has_no_gradient() -> None:
    one, other = nn.Linear(2, 1), nn.Linear(2, 1)
    x = torch.ones(1, 2)
    apart = {"a": one(x).sum(), "b": other(x).sum()}
    assert shared_gram(apart, [*one.parameters(), *other.parameters()]).tolist() == [[0, 0], [0, 0]]
    constant = {"a": one(x).sum(), "b": one(x).square().sum(), "c": torch.tensor(3.0)}
    gram = shared_gram(constant, list(one.parameters()))
    assert gram[2].tolist() == [0, 0, 0]
    assert gram[0, 0] > 0


def test_looking_leaves_gradients_hooks_buffers_and_random_numbers_alone(toy: Any) -> None:
    task = toy.Task(dropout=0.5, batch_norm=True)
    fired: list[str] = []
    for name, parameter in task.model.named_parameters():
        parameter.register_post_accumulate_grad_hook(lambda _, name=name: fired.append(name))
    values = losses_of(task, first_batch(toy))
    buffers = [buffer.clone() for buffer in task.model.buffers()]
    state = torch.get_rng_state()
    shared_gram(values, list(task.model.parameters()))
    assert all(parameter.grad is None for parameter in task.model.parameters())
    assert fired == []
    assert all(torch.equal(a, b) for a, b in zip(buffers, task.model.buffers(), strict=True))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("training", "hardware"),
    [
        ({}, {}),
        ({"accumulation_steps": 3}, {}),
        ({"gradient_clip": None, "ema_decay": None}, {}),
        ({}, {"mixed_precision": True}),
        ({"accumulation_steps": 2}, {"mixed_precision": True}),
    ],
    ids=["plain", "accumulation", "no_clip", "bf16", "bf16_accumulation"],
)
def test_a_run_that_is_looked_at_is_the_same_run(
    make_run: Any, toy: Any, training: dict[str, Any], hardware: dict[str, Any]
) -> None:
    class Watching(toy.Monitor):  # type: ignore[name-defined,misc]
        looks = 0

        def gradients(self, **numbers: Any) -> None:
            Watching.looks += 1
            assert set(numbers["norms"]) == {"number", "kind"}

    for every, name in ((0, "without"), (1, "with")):
        run = make_run(
            toy.config(**training),
            task=toy.Task(dropout=0.3, batch_norm=True),
            monitor=Watching(),
            name=name,
            hardware=HardwareConfig(device="cpu", **hardware),
            gradients_every_n_steps=every,
        )
        n_steps = run.fit().n_steps
    assert Watching.looks == n_steps
    folder = run.folder.parent
    one, other = (toy.contents(load_checkpoint(folder / name)) for name in ("without", "with"))
    for content in (one, other):
        content["training"].pop("companions")
    assert toy.differing(one, other) == []
