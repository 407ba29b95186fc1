"""A run of any length: what the monitor keeps in memory does not grow with the steps."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np

from neuroprism.monitor import Monitor, read_steps
from neuroprism.monitor.build import file_sinks

N_STEPS = 16_384


def test_memory_does_not_grow_with_the_steps(tmp_path: Path) -> None:
    """`benchmarks/scaling.py` shows the same over ten million."""
    values = np.random.default_rng(0).normal(1.0, 0.1, N_STEPS).tolist()
    held = []
    tracemalloc.start()
    try:
        with Monitor(tmp_path, {"mse": 1.0, "kl": 1.0}, sinks=file_sinks()) as monitor:
            for _ in range(3):
                for value in values:
                    monitor.step({"mse": value, "kl": 2 * value}, lr=1e-3, grad_norm=value)
                held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert held[2] - held[1] < 50_000
    assert len(read_steps(tmp_path)["step"]) == 3 * N_STEPS
