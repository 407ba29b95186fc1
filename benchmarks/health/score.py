"""Scores detectors on the recorded runs of the health benchmark.

    python benchmarks/health/score.py TRACES [--engine neuroprism] [--engine trainpulse] [--out RESULTS.md]

Without `--engine` every detector is scored. An alarm counts when its severity is warning or critical and it
is raised no earlier than the fault (less 1 % of the run). A detection is any such alarm on a faulty run; the
kind is right when it is that of the label or one that would be right as well, the component when it is the
labelled one. Intervals are Wilson's of 95 %; runs of one case with different seeds are not independent, so
that the true intervals are wider.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from case import Label
from recorded import Finding, Trace, read_trace
from rivals import RIVALS

Engine = Callable[[Trace], list[Finding]]


def neuroprism(trace: Trace) -> list[Finding]:
    """Return the warnings and worse of this project's engine."""
    from neuroprism.runs.diagnosis import diagnose

    return [
        Finding(alert.kind, alert.step if alert.first_seen is None else alert.first_seen, alert.component)
        for alert in diagnose(trace.folder).alerts
        if alert.severity in ("warning", "critical")
    ]


ENGINES: dict[str, Engine] = {"neuroprism": neuroprism, **RIVALS}


@dataclass(frozen=True)
class Verdict:
    """How one detector did on one run.

    Attributes
    ----------
    alarms
        All alarms, right or wrong.
    detected, right_kind, right_component
        Whether an alarm after the fault exists, has a right kind, and names a right component with it.
    delay
        Steps from the fault to the first alarm after it; None where none came, or where it names no step.
    """

    folder: str
    label: Label
    n_steps: int
    alarms: tuple[Finding, ...]
    detected: bool
    right_kind: bool
    right_component: bool
    delay: int | None


def judge(trace: Trace, alarms: Sequence[Finding]) -> Verdict:
    """Return how the alarms on a run compare with its label."""
    label = trace.label
    earliest = 0.0 if label.step is None else label.step - 0.01 * trace.n_steps
    late = [alarm for alarm in alarms if alarm.step is None or alarm.step >= earliest] if label.kind else []
    right = [(label.kind, label.component), *label.also]
    kinds = {kind for kind, _ in right}
    steps = [alarm.step for alarm in late if alarm.step is not None]
    return Verdict(
        folder=trace.folder.name,
        label=label,
        n_steps=trace.n_steps,
        alarms=tuple(alarms),
        detected=bool(late),
        right_kind=any(alarm.kind in kinds for alarm in late),
        right_component=any(
            alarm.kind == kind and _same_component(alarm.component, component, trace.components)
            for alarm in late
            for kind, component in right
        ),
        delay=max(0, min(steps) - (label.step or 0)) if steps else None,
    )


def _same_component(found: str | None, right: str | None, components: tuple[str, ...]) -> bool:
    if right is None or found == right:
        return True
    return len(components) == 1 and found in (None, "total", components[0])


def wilson(n_hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate by Wilson's score."""
    if not n:
        return 0.0, 1.0
    z, rate = 1.959964, n_hits / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def _share(hits: Sequence[bool], *, interval: bool = True) -> str:
    if not hits:
        return "-"
    low, high = wilson(sum(hits), len(hits))
    rate = f"{100 * sum(hits) / len(hits):.1f} %"
    return f"{rate} ({100 * low:.0f}-{100 * high:.0f})" if interval else rate


def _delay(verdicts: Sequence[Verdict]) -> str:
    delays = [verdict.delay for verdict in verdicts if verdict.delay is not None]
    return f"{statistics.median(delays):.0f}" if delays else "-"


def summary(results: dict[str, list[Verdict]]) -> str:
    """Return the table of all detectors."""
    lines = [
        "| detector | faulty runs detected | right kind | right kind and component | delay (steps, median) "
        "| healthy runs with an alarm = detection by chance | alarms per 1,000 healthy steps |",
        "|---|---|---|---|---|---|---|",
    ]
    for engine, verdicts in results.items():
        faulty = [v for v in verdicts if v.label.kind]
        sound = [v for v in verdicts if not v.label.kind]
        n_steps = sum(v.n_steps for v in sound)
        rate = 1000 * sum(len(v.alarms) for v in sound) / n_steps if n_steps else math.nan
        lines.append(
            f"| {engine} | {_share([v.detected for v in faulty])} | {_share([v.right_kind for v in faulty])} "
            f"| {_share([v.right_component for v in faulty])} | {_delay(faulty)} "
            f"| {_share([bool(v.alarms) for v in sound])} | {rate:.2f} |"
        )
    return "\n".join(lines)


def by_kind(verdicts: Sequence[Verdict]) -> str:
    """Return the table of one detector by kind of fault."""
    lines = [
        "| kind | runs | detected | right kind | right kind and component | delay (steps, median) |",
        "|---|---|---|---|---|---|",
    ]
    kinds = sorted({v.label.kind for v in verdicts if v.label.kind})
    for kind in kinds:
        chosen = [v for v in verdicts if v.label.kind == kind]
        lines.append(
            f"| {kind} | {len(chosen)} | {_share([v.detected for v in chosen])} "
            f"| {_share([v.right_kind for v in chosen])} | {_share([v.right_component for v in chosen])} "
            f"| {_delay(chosen)} |"
        )
    return "\n".join(lines)


def false_kinds(verdicts: Sequence[Verdict]) -> str:
    """Return on how many healthy runs each kind of alarm was raised."""
    sound = [v for v in verdicts if not v.label.kind]
    kinds = sorted({str(alarm.kind) for v in sound for alarm in v.alarms})
    counts = {kind: sum(any(str(a.kind) == kind for a in v.alarms) for v in sound) for kind in kinds}
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    said = ", ".join(f"{kind} {count}" for kind, count in ordered)
    return f"Healthy runs: {len(sound)}. With an alarm of kind: {said or 'none'}."


def listing(verdicts: Sequence[Verdict]) -> str:
    """Return misses, wrong verdicts and false alarms of one detector, a line for each run."""
    lines = []
    for v in verdicts:
        said = ", ".join(f"{a.kind}/{a.component or '-'}@{a.step}" for a in v.alarms[:6]) or "nothing"
        wanted = f"{v.label.kind}/{v.label.component or '-'}@{v.label.step}"
        if v.label.kind and not v.right_component:
            what = "missed" if not v.detected else ("wrong component" if v.right_kind else "wrong kind")
            lines.append(f"{what:15s} {v.folder}: {wanted}, said {said}")
        elif not v.label.kind and v.alarms:
            lines.append(f"{'false alarm':15s} {v.folder}: said {said}")
    return "\n".join(lines)


def _examine(job: tuple[str, Path]) -> tuple[str, Verdict | str]:
    """Judge one run by one detector; a detector that fails is reported, not hidden."""
    engine, folder = job
    trace = read_trace(folder)
    try:
        alarms = ENGINES[engine](trace)
    except ImportError as error:
        return engine, f"not installed ({error})"
    return engine, judge(trace, alarms)


def score(
    folders: Sequence[Path], engines: Sequence[str], n_jobs: int
) -> tuple[dict[str, list[Verdict]], dict[str, str]]:
    """Return the verdicts by detector, and why others could not be asked."""
    results: dict[str, list[Verdict]] = {}
    absent: dict[str, str] = {}
    jobs = [(engine, folder) for engine in engines for folder in folders]
    with multiprocessing.get_context("spawn").Pool(n_jobs) as pool:
        for engine, result in pool.imap(_examine, jobs, chunksize=16):
            if isinstance(result, str):
                absent[engine] = result
            else:
                results.setdefault(engine, []).append(result)
    return results, absent


def report(results: dict[str, list[Verdict]], absent: dict[str, str]) -> str:
    """Return the whole report as Markdown."""
    first = next(iter(results.values()), [])
    n_faulty, n_steps = sum(bool(v.label.kind) for v in first), sum(v.n_steps for v in first)
    parts = [
        f"{n_faulty} faulty and {len(first) - n_faulty} healthy runs, {n_steps:,} steps. "
        "Intervals: Wilson, 95 %.",
        summary(results),
    ]
    parts += [f"{engine}: {why}" for engine, why in absent.items()]
    for engine, verdicts in results.items():
        parts += [f"### {engine}", by_kind(verdicts), false_kinds(verdicts)]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Score what is asked for; print the report, and write it where `--out` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("traces", type=Path)
    parser.add_argument("--engine", action="append", choices=list(ENGINES))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", default="", help="beginning of the names of the runs")
    parser.add_argument("--verbose", action="store_true", help="list misses and false alarms")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    folders = sorted(path.parent for path in options.traces.glob(f"{options.only}*/label.json"))
    if not folders:
        parser.error(f"{options.traces}: no recorded runs")
    results, absent = score(folders, options.engine or list(ENGINES), options.jobs)
    text = report(results, absent)
    print(text)
    if options.verbose:
        for engine, verdicts in results.items():
            print(f"--- {engine}\n{listing(verdicts)}\n")
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
