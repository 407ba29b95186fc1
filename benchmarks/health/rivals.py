"""Other tools' alert rules on the same traces: they see the total loss and a few series more.

trainpulse 0.4.0 and losslint 0.4.1 are the real packages, driven offline. The project needs neither:

    pip install --target FOLDER --no-deps trainpulse==0.4.0 losslint==0.4.1
    HEALTH_RIVALS=FOLDER python benchmarks/health/score.py TRACES --engine trainpulse --engine losslint

Lightning's SpikeDetection, llm-foundry's KillLossSpike and OLMo-core's SkipStep live inside their trainers;
here are their rules with their defaults. None of them knows components, so they name none. Where a tool would
stop the training at its first alarm, it is asked again at every further step.
"""

from __future__ import annotations

import math
import os
import statistics
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from recorded import Finding, Trace

Rival = Callable[[Trace], list[Finding]]


def _installed(name: str) -> Any:
    """Import a rival from the folder that HEALTH_RIVALS names, or from the environment."""
    folder = os.environ.get("HEALTH_RIVALS")
    if folder and folder not in sys.path:
        sys.path.append(folder)
    return __import__(name, fromlist=["_"])


def trainpulse(trace: Trace) -> list[Finding]:
    """Return what trainpulse says while loss, gradient norm, rate and duration of the steps are logged."""
    monitor = _installed("trainpulse").Monitor()
    series: dict[str, Sequence[float | None]] = {
        "loss": trace.loss,
        "grad_norm": trace.grad_norm,
        "lr": trace.lr,
        "step_time": trace.seconds,
    }
    for k, step in enumerate(trace.steps):
        for name, values in series.items():
            value = values[k]
            if value is not None:
                monitor.log(name, step, value)
    return [
        Finding(_pulse_kind(alert.detector, alert.message), alert.step)
        for alert in monitor.alerts
        if alert.severity.value in ("warning", "critical")
    ]


def _pulse_kind(detector: str, message: str) -> str | None:
    if detector == "gradient":
        return "explosion" if "explosion" in message else "vanishing_gradient"
    kinds = {
        "nan_detector": "non_finite",
        "loss_spike": "spike",
        "plateau": "stall",
        "step_time": "slow_step",
    }
    return kinds.get(detector)


_LINT_KINDS = {
    "nan_inf": "non_finite",
    "loss_spike": "spike",
    "divergence": "explosion",
    "overfit_onset": "overfitting",
    "stagnation": "stall",
}


def losslint(trace: Trace) -> list[Finding]:
    """Return the warnings and errors of losslint on the finished log of train and validation loss."""
    return _lint(trace, ("warning", "error"))


def losslint_info(trace: Trace) -> list[Finding]:
    """Return everything that losslint says: overfitting and stagnation are only information to it."""
    return _lint(trace, ("info", "warning", "error"))


def _lint(trace: Trace, severities: tuple[str, ...]) -> list[Finding]:
    checks, parsing = _installed("losslint.checks"), _installed("losslint.parsing")
    val = dict(trace.val)
    series: dict[str, list[float | None]] = {"loss": list(trace.loss)}
    if any(value is not None for value in trace.grad_norm):
        series["grad_norm"] = trace.grad_norm
    if val:
        series["eval_loss"] = [val.get(step) for step in trace.steps]
    run = parsing.RunLog(steps=trace.steps, series=series, source=Path("steps.jsonl"))
    found: list[Finding] = []
    for finding in checks.run_all_checks(run):
        if finding.severity in severities:
            # A verdict on the finished run, without steps of its own, is spoken at its end.
            steps = finding.details.get("steps", [trace.steps[-1]])
            found += [Finding(_LINT_KINDS.get(finding.check), step) for step in steps]
    return found


def lightning(trace: Trace) -> list[Finding]:
    """Return spikes by Lightning: above the last value, and away from the mean of 10 by twice that mean."""
    window: deque[float] = deque(maxlen=10)
    last, found = 0.0, []
    for k, (step, loss) in enumerate(zip(trace.steps, trace.loss, strict=True)):
        if k >= 1 and not math.isfinite(loss):
            found.append(Finding("non_finite", step))
            continue
        mean = statistics.fmean(window) if window else math.nan
        if k >= 1 and loss > last and abs(loss - mean) >= abs(2.0 * mean):
            found.append(Finding("spike", step))
            continue
        window.append(loss)
        last = loss
    return found


def llm_foundry(trace: Trace) -> list[Finding]:
    """Return spikes by KillLossSpike: 2 x the mean of 100 for 5 steps, or half of the window above 10."""
    window: deque[float] = deque(maxlen=100)
    found, n_outliers = [], 0
    for step, loss in zip(trace.steps, trace.loss, strict=True):
        if len(window) == 100:
            n_outliers = n_outliers + 1 if loss >= 2.0 * statistics.fmean(window) else 0
            if n_outliers >= 5:
                found.append(Finding("spike", step))
            elif sum(value > 10.0 for value in window) >= 50:
                found.append(Finding("explosion", step))
        window.append(loss)
    return found


def olmo(trace: Trace) -> list[Finding]:
    """Return skipped steps by OLMo-core: loss or gradient norm 6 deviations from the mean of the last 128."""
    losses: deque[float] = deque(maxlen=128)
    norms: deque[float] = deque(maxlen=128)
    found = []
    for step, loss, norm in zip(trace.steps, trace.loss, trace.grad_norm, strict=True):
        outlier = _outlier(loss, losses) or (norm is not None and _outlier(norm, norms))
        if outlier:
            found.append(Finding("spike" if math.isfinite(loss) else "non_finite", step))
        losses.append(loss)
        if norm is not None:
            norms.append(norm)
    return found


def _outlier(value: float, window: deque[float]) -> bool:
    if len(window) < 64:
        return False
    mean = sum(window) / len(window)
    if not math.isfinite(mean):
        return True  # the comparison with a window that is not finite fails, so the step is skipped
    deviation = math.sqrt(sum((v - mean) * (v - mean) for v in window) / (len(window) - 1))
    return not abs(value - mean) <= 6.0 * deviation


RIVALS: dict[str, Rival] = {
    "trainpulse": trainpulse,
    "losslint": losslint,
    "losslint_info": losslint_info,
    "lightning": lightning,
    "llm_foundry": llm_foundry,
    "olmo": olmo,
}
