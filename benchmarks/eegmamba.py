"""EEGMamba on the CPU: forward and backward beside the reference path of `transformers`' Mamba2.

Both are the same backbone with the same weights, in float32, on windows (32, 64, 4, 200); only the twelve
mixers differ. The rival's compute what `transformers` computes where no kernels are installed, once with the
chunk that it and the released model declare, once with one that suits a CPU better. All take turns in one
process, so that a busy machine slows them alike. A second table has the sequence lengths of the declared
datasets from 62 to 1,920 patches, with about as many patches in each batch; a rival fills its last chunk up.

    python benchmarks/eegmamba.py [--rounds N] [--threads N ...] [--lengths L ...]
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import logging
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from transformers import Mamba2Config
from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer

from neuroprism.eeg.backbone import EegMamba

SHAPE, BUDGET, TOLERANCE = (32, 64, 4, 200), 3.0, 1e-4
DECLARED_CHUNK, SMALL_CHUNK = 256, 64
TIME_LIMIT_SECONDS = 2400
"""More than it takes on an idle machine; two threads on a busy one are slow."""

WINDOWS = {62: (62, 1), 100: (20, 5), 160: (16, 10), 256: (64, 4), 320: (32, 10), 1920: (128, 15)}
"""Channels and patches of SEED-V, MentalArithmetic, TUAB, PhysioNet-MI, FACED and MODMA, by their product."""

PATCHES_A_BATCH = 8192
OWN, RIVAL = "neuroprism", "transformers"


class RivalMixer(nn.Module):
    """The mixer of transformers, turned round where the layer reads from the end."""

    def __init__(self, own: nn.Module, number: int, chunk: int) -> None:
        super().__init__()
        config = Mamba2Config(
            num_heads=8,
            head_dim=50,
            hidden_size=200,
            state_size=64,
            expand=2,
            n_groups=1,
            conv_kernel=4,
            chunk_size=chunk,
            num_hidden_layers=number + 1,
            use_bias=False,
            use_conv_bias=True,
            layer_norm_epsilon=1e-5,
            time_step_limit=(0.0, float("inf")),
        )
        self.mixer: nn.Module = Mamba2Mixer(config, layer_idx=number)
        self.mixer.load_state_dict(own.state_dict(), strict=True)

    def forward(self, u: Tensor, *, reverse: bool = False) -> Tensor:
        y: Tensor = self.mixer(u.flip(1)).flip(1) if reverse else self.mixer(u)
        return y


def rival(own: EegMamba, chunk: int) -> EegMamba:
    """Return a copy of the backbone whose mixers are those of transformers."""
    other = copy.deepcopy(own)
    for number, layer in enumerate(other.encoder.layers):
        layer.mixer = RivalMixer(layer.mixer, number, chunk)
    return other


def slopes(model: nn.Module) -> list[Tensor]:
    """Return the gradients in the order of the parameters, which both kinds of backbone share by name."""
    named = {name.replace("mixer.mixer.", "mixer."): p.grad for name, p in model.named_parameters()}
    return [named[name] for name in sorted(named) if named[name] is not None]


def differences(own: nn.Module, other: nn.Module, x: Tensor) -> tuple[float, float]:
    """Return the largest difference of outputs, and of gradients over the largest of each parameter."""
    outputs = []
    for model in (own, other):
        model.zero_grad()
        outputs.append(model(x))
        outputs[-1].square().mean().backward()
    output = float((outputs[0] - outputs[1]).detach().abs().max())
    pairs = zip(slopes(own), slopes(other), strict=True)
    return output, max(float((a - b).abs().max() / b.abs().max().clamp(min=1e-12)) for a, b in pairs)


def seconds(model: nn.Module, x: Tensor, precision: torch.dtype | None) -> tuple[float, float]:
    """Return the time of one forward and of one backward pass."""
    model.zero_grad()
    cast = contextlib.nullcontext() if precision is None else torch.autocast("cpu", dtype=precision)
    start = time.perf_counter()
    with cast:
        y = model(x)
    between = time.perf_counter()
    y.float().square().mean().backward()
    return between - start, time.perf_counter() - between


def measure(
    steps: dict[str, Callable[[], tuple[float, float]]], n_rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Take every step once a round, the first round only to warm up."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for number in range(n_rounds + 1):
        for name, step in steps.items():
            taken = step()
            if number:
                times[name].append(taken)
    return times


def rows(times: dict[str, list[tuple[float, float]]], n_threads: int) -> None:
    """Print a row for each; the ratio is the median of the rounds' ratios."""
    own = [sum(pair) for pair in times[OWN]]
    for name, pairs in times.items():
        forward, backward = (1e3 * statistics.median(part) for part in zip(*pairs, strict=True))
        ratios = [sum(pair) / mine for pair, mine in zip(pairs, own, strict=True)]
        ratio = statistics.median(ratios)
        budget = verdict = ""
        if name == f"{RIVAL}, chunk {DECLARED_CHUNK}":
            budget, verdict = f">= {BUDGET:g}x", "met" if ratio >= BUDGET else "**not met**"
        print(
            f"| {name} | {n_threads} | {forward:,.0f} | {backward:,.0f} | {ratio:.2f}x "
            f"({min(ratios):.2f} to {max(ratios):.2f}) | {budget} | {verdict} |",
            flush=True,
        )


def by_length(own: nn.Module, rivals: dict[str, EegMamba], lengths: list[int], n_rounds: int) -> None:
    """Print a row for each length: the times of both, and how far their outputs are apart."""
    names = "".join(f" {name}, ms | times neuroprism |" for name in rivals)
    print(f"\nBy sequence length, {PATCHES_A_BATCH:,} patches in a batch or a little more:\n")
    print(f"| patches a window | batch | neuroprism, ms |{names} largest difference of outputs |")
    print("|--:|--:|--:|" + "--:|--:|" * len(rivals) + "--:|")
    for length in lengths:
        shape = (-(-PATCHES_A_BATCH // length), *WINDOWS[length], SHAPE[-1])
        x = 0.3 * torch.randn(shape, generator=torch.Generator().manual_seed(length))
        models = {OWN: own, **rivals}
        steps = {name: lambda model=model: seconds(model, x, None) for name, model in models.items()}  # noqa: B023
        sums = {name: [sum(pair) for pair in pairs] for name, pairs in measure(steps, n_rounds).items()}
        with torch.no_grad():
            outputs = {name: model(x[:2]) for name, model in models.items()}
        apart = max(float((outputs[name] - outputs[OWN]).abs().max()) for name in rivals)
        cells = "".join(
            f" {1e3 * statistics.median(sums[name]):,.0f} "
            f"| {statistics.median(a / b for a, b in zip(sums[name], sums[OWN], strict=True)):.2f}x |"
            for name in rivals
        )
        mine = 1e3 * statistics.median(sums[OWN])
        print(f"| {length:,} | {shape[0]} | {mine:,.0f} |{cells} {apart:.1e} |", flush=True)


def main() -> None:
    """Compare, measure and print the tables."""
    parser = argparse.ArgumentParser(description="Time the EEGMamba backbone beside transformers' mixers.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="*", default=[2, 1])
    parser.add_argument("--lengths", type=int, nargs="*", choices=WINDOWS, default=list(WINDOWS))
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.manual_seed(0)
    own = EegMamba().eval()
    rivals = {f"{RIVAL}, chunk {chunk}": rival(own, chunk) for chunk in (DECLARED_CHUNK, SMALL_CHUNK)}
    x = 0.3 * torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    torch.set_num_threads(max(arguments.threads))
    output, slope = differences(own, next(iter(rivals.values())), x[:8])
    steps: dict[str, Callable[[], tuple[float, float]]] = {OWN: lambda: seconds(own, x, None)}
    for name, model in rivals.items():
        steps[name] = lambda model=model: seconds(model, x, None)  # type: ignore[misc]
    steps[f"{OWN}, bfloat16 autocast"] = lambda: seconds(own, x, torch.bfloat16)
    verdict = "met" if output <= TOLERANCE else "**not met**"
    print(f"## EEGMamba forward and backward on the CPU, windows {SHAPE}\n")
    print(
        f"Equal weights, float32; {arguments.rounds} rounds in turn. Largest difference of outputs "
        f"{output:.1e} (<= {TOLERANCE:g}: {verdict}), "
        f"of gradients {slope:.1e} of the largest in their parameter.\n"
    )
    print("| mixers | threads | forward, ms | backward, ms | times neuroprism (range) | budget | |")
    print("|---|--:|--:|--:|--:|--:|---|")
    for n_threads in arguments.threads:
        torch.set_num_threads(n_threads)
        chosen = list(steps) if n_threads == max(arguments.threads) else list(steps)[:2]
        rows(measure({name: steps[name] for name in chosen}, arguments.rounds), n_threads)
    torch.set_num_threads(max(arguments.threads))
    if arguments.lengths:
        by_length(own, rivals, arguments.lengths, arguments.rounds)


if __name__ == "__main__":
    main()
