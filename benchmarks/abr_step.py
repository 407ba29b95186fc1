"""Time of one ABR training step: the shipped default beside a 32.7 M-parameter setting.

Forward, loss-free scalar and backward at batch 32, both paths (denoising and tasks), in one process with
the two settings taking turns, so that a busy machine slows both.

    python benchmarks/abr_step.py [n_rounds]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch

from neuroprism.abr.heads import LatencyPrior
from neuroprism.abr.model import build_model
from neuroprism.abr.model_config import ModelConfig

N_THREADS, BATCH = 2, 32
LARGE = {
    "base_channels": 144,
    "n_levels": 4,
    "channel_multipliers": [1, 2, 3, 4],
    "patch_size": 2,
    "encoder": {"n_s4_layers": 3, "d_state": 64},
    "decoder": {"n_transformer_layers": 3, "n_heads": 8, "mlp_ratio": 4.0},
    "film": {"hidden_dim": 352},
    "heads": {"hidden_dim": 256},
}


def training_step(config: ModelConfig, n_samples: int) -> tuple[Callable[[], None], int]:
    """Return one forward and backward pass on fixed random input, and the number of parameters."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    model = build_model(config, n_classes=5, latency=LatencyPrior(mean=0.6, sd=0.1))
    signals = torch.randn(2, BATCH, 1, n_samples, generator=generator)
    t = torch.randint(1000, (BATCH,), generator=generator)
    condition = torch.randn(BATCH, 4, generator=generator)
    missing = torch.zeros(BATCH, 4, dtype=torch.bool)
    drop = torch.rand(BATCH, generator=generator) < 0.1

    def step() -> None:
        model.zero_grad(set_to_none=True)
        prediction = model(signals[0], t, signals[1], condition, missing, drop)
        cost = prediction.signal.square().mean()
        for value in prediction.tasks:
            cost = cost + value.square().mean()
        cost.backward()

    return step, sum(parameter.numel() for parameter in model.parameters())


def measure(n_samples: int, n_rounds: int) -> None:
    """Print both settings' times at one length and their ratio."""
    settings = {"default": ModelConfig(), "large": ModelConfig.model_validate({"architecture": LARGE})}
    steps = {name: training_step(config, n_samples) for name, config in settings.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(n_rounds + 1):
        for name, (step, _) in steps.items():
            # The small step is taken several times a round, so that both spend similar time.
            for _ in range(5 if name == "default" else 1):
                start = time.perf_counter()
                step()
                if number > 0:
                    times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, (_, n_parameters) in steps.items():
        print(
            f"{n_samples:4d} samples  {name:8s} {n_parameters / 1e6:6.2f} M parameters  "
            f"median {1e3 * medians[name]:7.1f} ms  fastest {1e3 * min(times[name]):7.1f} ms"
        )
    print(f"{n_samples:4d} samples  large / default {medians['large'] / medians['default']:.1f}")


if __name__ == "__main__":
    torch.set_num_threads(N_THREADS)
    for length in (200, 256):
        measure(length, int(sys.argv[1]) if len(sys.argv) > 1 else 8)
