"""Trains the runs of a half of the health benchmark and records each into OUT/<case>-<seed>/.

    python benchmarks/health/generate.py --half tuning|frozen OUT [--only FAMILY] [--jobs N]

Runs that lie there already are left alone. Numbers depend on case and seed only; durations of steps, where a
case records them, are those of this machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import get_args

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from case import Half, Recording
from cases import cases_of

Job = tuple[Half, str, int, Path]


def generate(job: Job) -> tuple[str, int, float]:
    """Train one case with one seed; returns the name of its folder, its steps and its seconds."""
    half, name, seed, folder = job
    start = time.perf_counter()
    torch.manual_seed(seed)
    case = next(case for case in cases_of(half) if case.name == name)
    recording = Recording(folder)
    case.train(recording, seed)
    recording.save(case.label)
    return folder.name, recording.n_steps, time.perf_counter() - start


def main() -> int:
    """Train every run that is asked for and not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--half", choices=get_args(Half), required=True)
    parser.add_argument("--only", help="family, or beginning of a case's name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    cases = [
        case
        for case in cases_of(options.half)
        if not options.only or case.family == options.only or case.name.startswith(options.only)
    ]
    jobs: list[Job] = [
        (options.half, case.name, seed, options.out / f"{case.name}-{seed}")
        for case in cases
        for seed in case.seeds
    ]
    jobs = [job for job in jobs if not job[3].exists()]
    options.out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    n_steps = 0
    context = multiprocessing.get_context("spawn")
    with context.Pool(options.jobs, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for name, steps, seconds in pool.imap_unordered(generate, jobs):
            n_steps += steps
            print(f"{seconds:6.1f} s {steps:5d} steps  {name}", flush=True)
    print(f"{len(jobs)} runs, {n_steps} steps in {time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
