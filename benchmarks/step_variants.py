"""What torch.compile, channels-last memory and bfloat16 make of a training step on the CPU.

Copies of each network train on the same batches in one process, one step each in turn. The ratio is the
median over the steps of its time to that of the plain copy; the difference is that of the losses of the first
step.

    python benchmarks/step_variants.py [--steps N] [--networks NAME ...]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))

from loops.training_loop import BATCH, HEAVY, LOOPS, TrainingLoop

TIME_LIMIT_SECONDS = 1800
N_THREADS = 2


def plain(loop: TrainingLoop) -> None:
    """Leave everything as it is."""


def compiled(loop: TrainingLoop) -> None:
    """As `hardware.compile_model`."""
    loop.model = torch.compile(loop.model)  # type: ignore[assignment]


def channels_last(loop: TrainingLoop) -> None:
    """Weights of two-dimensional convolutions in the other order; others have none."""
    loop.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def bfloat16(loop: TrainingLoop) -> None:
    """As `hardware.mixed_precision` on a CPU."""
    loop.precision = torch.bfloat16


VARIANTS = {
    "plain": plain,
    "compiled": compiled,
    "channels last": channels_last,
    "bfloat16 autocast": bfloat16,
}


def measure(make: Callable[[], TrainingLoop], n_steps: int) -> dict[str, tuple[list[float], float]]:
    """Return the seconds of every step, the first one included, and the first loss, of each variant."""
    loops = {}
    for name, change in VARIANTS.items():
        loops[name] = make()
        change(loops[name])
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    first: dict[str, float] = {}
    for number in range(n_steps + 1):
        for name, loop in loops.items():
            # Equal dropout for all.
            torch.manual_seed(number)
            start = time.perf_counter()
            terms, _ = loop.step(number, loop.weighted_sum)
            seconds[name].append(time.perf_counter() - start)
            first.setdefault(name, float(loop.weighted_sum(dict(terms.values)).detach()))
    return {name: (seconds[name], first[name]) for name in loops}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Time variants of the training step side by side.")
    parser.add_argument("--steps", type=int, default=40, metavar="N")
    parser.add_argument("--networks", nargs="+", choices=LOOPS, default=list(LOOPS))
    given = parser.parse_args()
    torch.set_num_threads(N_THREADS)
    warnings.simplefilter("ignore")
    print("## Variants of a training step on the CPU\n")
    print(
        f"Batch {BATCH}, {N_THREADS} threads, float32, {given.steps} steps in turn (EEGMamba an eighth of "
        "them) after the first.\n"
    )
    print("| network | variant | first step, s | step, ms | times plain | difference of the loss |")
    print("|---|---|--:|--:|--:|--:|")
    for network in given.networks:
        found = measure(LOOPS[network], given.steps // 8 if network == HEAVY else given.steps)
        base, loss = found["plain"]
        for name, (seconds, first) in found.items():
            ratio = statistics.median(a / b for a, b in zip(seconds[1:], base[1:], strict=True))
            print(
                f"| {network} | {name} | {seconds[0]:.1f} | {1e3 * statistics.median(seconds[1:]):.1f} "
                f"| {ratio:.2f}x | {abs(first - loss) / abs(loss):.1e} |",
                flush=True,
            )
    print("\nThe EEG networks have dropout, whose draws depend on compilation and on the order in memory.")


if __name__ == "__main__":
    main()
