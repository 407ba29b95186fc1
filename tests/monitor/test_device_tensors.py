"""What a device would notice: no waiting between flushes, one transfer per flush, no graph kept."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from neuroprism.core.records import Component
from neuroprism.monitor import Monitor
from neuroprism.monitor.buffer import PendingSteps
from neuroprism.monitor.sinks import StepsFile

COMPONENTS = tuple(Component(name=f"c{k}", label=f"C{k}") for k in range(8))
WAITING = {"item", "tolist", "cpu", "numpy", "__float__", "__int__", "__bool__", "__index__", "to"}


class CountWaiting(TorchFunctionMode):
    """Counts the calls that wait for a device."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in WAITING:
            self.calls.append(name)
        return func(*args, **(kwargs or {}))


class CountReads(TorchDispatchMode):
    """Counts numbers that leave PyTorch, whatever the way."""

    def __init__(self) -> None:
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.n += func == torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


class Activations:
    """Something that the graph keeps for the backward pass."""


class Double(torch.autograd.Function):
    """Doubles a number and keeps what it is given."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, activations: Activations) -> torch.Tensor:
        ctx.activations = activations
        return x * 2

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return grad * 2, None


@pytest.fixture
def on_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tensors in host memory take the way of tensors on a device."""
    monkeypatch.setattr(torch.Tensor, "is_cpu", property(lambda _: False))


def losses(step: int) -> dict[str, torch.Tensor]:
    return {c.name: torch.tensor(float(step * 10 + k)) for k, c in enumerate(COMPONENTS)}


@pytest.mark.usefixtures("on_device")
def test_nothing_waits_between_flushes_and_a_flush_fetches_once(tmp_path: Path) -> None:
    monitor = Monitor(tmp_path, COMPONENTS, log_frequency=50, flush_seconds=1e9, sinks=[StepsFile()])
    with CountWaiting() as waiting, CountReads() as reads:
        for step in range(1, 50):
            monitor.step(
                losses(step),
                lr=torch.tensor(0.1),
                grad_norm=torch.tensor(1.0),
                counts={"c0": torch.tensor(3)},
                metrics={"scale": torch.tensor(2.0, dtype=torch.bfloat16)},
                samples=torch.arange(3),
            )
        assert waiting.calls == []
        assert reads.n == 0
        monitor.step(losses(50))
        assert waiting.calls.count("cpu") == 1
        assert waiting.calls.count("tolist") == 1
        assert reads.n == 0
    monitor.close()


@pytest.mark.usefixtures("on_device")
def test_the_counter_sees_a_careless_loop() -> None:
    with CountWaiting() as waiting, CountReads() as reads:
        float(torch.tensor(1.0))
        torch.tensor(1.0).item()
    assert "item" in waiting.calls
    assert reads.n == 2


@pytest.mark.usefixtures("on_device")
def test_values_of_different_types_are_put_in_their_places() -> None:
    pending = PendingSteps(COMPONENTS[:4])
    big = 2**31 + 1  # float32 could not hold it
    for step in range(3):
        pending.add(
            {
                "c0": torch.tensor(0.1, dtype=torch.float64),
                "c1": torch.tensor(big + step),
                "c2": torch.tensor([1.5], dtype=torch.float16),
                "c3": 4.0,
            },
            grad_norm=torch.tensor(float(step)),
            counts={"c3": torch.tensor(step)},
            metrics={"m": torch.tensor(step)},
        )
    window = pending.take(first_step=1, epoch=1)
    assert window.losses[:, :3].tolist() == [[0.1, big, 1.5], [0.1, big + 1, 1.5], [0.1, big + 2, 1.5]]
    assert np.isnan(window.losses[0, 3])
    assert window.losses[1:, 3].tolist() == [4.0, 4.0]
    assert window.counts[:, 3].tolist() == [0.0, 1.0, 2.0]
    assert window.grad_norm.tolist() == [0.0, 1.0, 2.0]
    assert window.metrics["m"].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("way", ["host", "device"])
def test_the_graph_of_the_losses_is_let_go(way: str, request: pytest.FixtureRequest) -> None:
    if way == "device":
        request.getfixturevalue("on_device")
    pending = PendingSteps(COMPONENTS[:1])
    activations = Activations()
    loss = Double.apply(torch.tensor(1000.0, requires_grad=True), activations)
    kept = weakref.ref(activations)
    del activations
    assert kept() is not None
    pending.add({"c0": loss})
    del loss
    gc.collect()
    assert kept() is None
    assert pending.take(first_step=1, epoch=1).losses.tolist() == [[2000.0]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_real_gpu_is_not_waited_for(tmp_path: Path) -> None:
    cuda = torch.device("cuda")
    monitor = Monitor(tmp_path, COMPONENTS, log_frequency=20, flush_seconds=1e9, sinks=[StepsFile()])
    torch.cuda.set_sync_debug_mode("error")
    try:
        values = torch.arange(8.0, device=cuda)
        for _ in range(19):
            values = values + 1
            monitor.step(
                {c.name: values[k] for k, c in enumerate(COMPONENTS)}, grad_norm=values.norm(), lr=0.1
            )
    finally:
        torch.cuda.set_sync_debug_mode("default")
    monitor.step({"c0": torch.tensor(1.0, device=cuda), "c1": torch.tensor(2.0)})
    monitor.close()
