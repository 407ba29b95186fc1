"""Generated ABR traces per second: DDIM with 50 steps and DDPM with 1,000, shipped default model.

One thread; random weights, which take as long as trained ones. Both samplers take turns. A full chain of
DDPM costs its number of steps times one step, so a part of its steps is timed and scaled up.

    python benchmarks/abr_sampling.py [n_rounds]
"""

from __future__ import annotations

import statistics
import sys
import time

import torch

from neuroprism.abr.diffusion import DiffusionConfig, NoiseSchedule
from neuroprism.abr.heads import LatencyPrior
from neuroprism.abr.model import build_model
from neuroprism.abr.model_config import ModelConfig
from neuroprism.abr.sampling import SamplerSettings, SignalNoise, guided, run_sampler
from neuroprism.abr.sampling_steps import ReverseProcess

BATCH, N_SAMPLES = 64, 256
SETTINGS = {"DDIM 50": (50, 10), "DDPM 1000": (1000, 10)}
"""Steps of each chain, and how many of them are timed in one round."""


def measure(n_rounds: int) -> None:
    """Print traces per second with and without guidance."""
    torch.manual_seed(0)
    model = build_model(ModelConfig(), n_classes=5, latency=LatencyPrior(mean=0.6, sd=0.1)).eval()
    process = ReverseProcess(NoiseSchedule(DiffusionConfig()), clip=(-5.0, 5.0))
    condition, missing = torch.randn(BATCH, 4), torch.zeros(BATCH, 4, dtype=torch.bool)
    noise = SignalNoise(0, range(BATCH))
    start = noise.draw(torch.empty(BATCH, 1, N_SAMPLES))
    cases = [(name, scale) for name in SETTINGS for scale in (1.0, 2.0)]
    seconds: dict[tuple[str, float], list[float]] = {case: [] for case in cases}
    for number in range(n_rounds + 1):
        for name, scale in cases:
            steps, timed = SETTINGS[name]
            settings = SamplerSettings(sampler="ddim" if "DDIM" in name else "ddpm", steps=timed)
            predict = guided(model, condition, missing, scale)  # type: ignore[arg-type]
            begin = time.perf_counter()
            run_sampler(process, predict, start, settings, noise)
            if number > 0:
                seconds[name, scale].append((time.perf_counter() - begin) * steps / timed)
    print("| sampler | network calls a trace | traces per second, median | fastest round |")
    print("|---|--:|--:|--:|")
    for (name, scale), values in seconds.items():
        calls = SETTINGS[name][0] * (1 if scale == 1 else 2)
        said = name if scale == 1 else f"{name}, guidance {scale:g}"
        median, best = BATCH / statistics.median(values), BATCH / min(values)
        print(f"| {said} | {calls:,} | {median:.2f} | {best:.2f} |")
    print(
        f"\nBatches of {BATCH} traces of {N_SAMPLES} samples, one thread; {n_rounds} rounds of 10 steps each."
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
