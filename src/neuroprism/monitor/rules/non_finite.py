"""Alert on NaN and infinite values.

A non-finite loss component is reported by name. Where all components are
finite, the total (overflow of the sum) and the gradient norm are looked at. A
step that the loop skipped did no harm and only warns; now and then a skipped
step is normal under float16 mixed precision, while its loss scale is sought.
A long row of skipped steps means that nothing is learnt any more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from neuroprism.core.records import TOTAL, Alert, Severity
from neuroprism.monitor.history import History
from neuroprism.monitor.rules.registry import rule
from neuroprism.monitor.rules.remedies import clip_gradients, full_precision, lower_rate
from neuroprism.monitor.window import StepWindow

SKIPPED_IN_A_ROW = 8


@rule("non_finite", at="window", quiet=8)
def non_finite(history: History, *, severity: Severity = "critical") -> Iterator[Alert]:
    """Find NaN and infinity in a loss component, the total or the gradient norm.

    The component is named, with the first step and its samples.

    Parameters
    ----------
    severity
        Of the alerts about steps that were applied; they ask to stop when critical.
    """
    window = history.window
    if window is None:
        return
    bad_norms = window.grad_norm_given & ~np.isfinite(window.grad_norm)
    # A finite total has finite parts only: this is the usual window, and all there is to look at.
    if not (window.skipped.any() or bad_norms.any()) and np.isfinite(window.total).all():
        return
    bad_losses = (window.counts > 0) & ~np.isfinite(window.losses)
    clean = ~bad_losses.any(axis=1)
    bad_total = clean & (window.counts > 0).any(axis=1) & ~np.isfinite(window.total)
    bad_norm = clean & ~bad_total & bad_norms
    if not (bad_losses.any() or bad_total.any() or bad_norm.any()):
        yield from _stuck(history, window)
        return
    columns = [(c.name, bad_losses[:, k]) for k, c in enumerate(window.components)]
    for name, bad in [*columns, (TOTAL, bad_total), (None, bad_norm)]:
        for skipped in (False, True):
            rows = np.flatnonzero(bad & (window.skipped == skipped))
            if len(rows):
                yield _alert(history, window, rows, name, severity=severity)
    yield from _stuck(history, window)


def _alert(
    history: History,
    window: StepWindow,
    rows: npt.NDArray[np.intp],
    name: str | None,
    *,
    severity: Severity,
) -> Alert:
    row, last, n_rows = int(rows[0]), int(rows[-1]), len(rows)
    skipped = bool(window.skipped[row])
    subject = (
        "gradient norm" if name is None else ("total loss" if name == TOTAL else f"loss component '{name}'")
    )
    value = float(window.grad_norm[row]) if name is None else window.row(row)[name]
    step = int(window.step[row])
    message = f"{subject} is {_spell(value)} at step {step}"
    if name is None:
        message += ", while every loss component is finite"
    if skipped:
        message += "; the step was skipped"
    level: Severity = severity
    if skipped:
        level = "info" if name is None else "warning"
    elif name is None and value == math.inf and history.facts.mixed_precision is not False:
        # The loss scale of half precision is sought by overflows; a step like that is left out.
        level = "info"
    return Alert(
        rule="non_finite",
        kind="non_finite",
        severity=level,
        component=name,
        step=step,
        epoch=int(window.epoch[row]),
        message=message,
        evidence=_evidence(window, row, n_rows=n_rows),
        advice=_advice(history, row, name),
        stop=level == "critical",
        first_seen=step,
        last_seen=int(window.step[last]),
        count=n_rows,
    )


def _stuck(history: History, window: StepWindow) -> Iterator[Alert]:
    """Report that the loop skips every step."""
    in_a_row = history.skipped_before
    for row, skipped in enumerate(window.skipped):
        in_a_row = in_a_row + 1 if skipped else 0
        if in_a_row == SKIPPED_IN_A_ROW:
            yield Alert(
                rule="non_finite",
                kind="non_finite",
                severity="critical",
                step=int(window.step[row]),
                epoch=int(window.epoch[row]),
                message=f"{SKIPPED_IN_A_ROW} steps in a row were skipped up to step {int(window.step[row])}",
                evidence=_evidence(window, row, n_rows=SKIPPED_IN_A_ROW),
                advice=_advice(history, row, None),
                stop=True,
                first_seen=int(window.step[row]),
                last_seen=int(window.step[row]),
            )


def _evidence(window: StepWindow, row: int, *, n_rows: int) -> dict[str, Any]:
    """Return the values of the step, of the last finite step before it, and its samples."""
    found: dict[str, Any] = {"values": window.row(row), "n_steps": n_rows}
    if not np.isnan(window.lr[row]):
        found["lr"] = float(window.lr[row])
    if window.grad_norm_given[row]:
        found["grad_norm"] = float(window.grad_norm[row])
    finite = np.flatnonzero(np.isfinite(window.total[:row]))
    if len(finite):
        last = int(finite[-1])
        found["last_finite"] = {"step": int(window.step[last]), "values": window.row(last)}
    if window.samples and window.samples[row] is not None:
        found["samples"] = window.samples[row]
    return found


def _advice(history: History, row: int, name: str | None) -> str:
    window = history.window
    assert window is not None
    steps = [lower_rate(history, by=10), clip_gradients(history), *full_precision(history)]
    if name is not None and window.samples and window.samples[row] is not None:
        steps.insert(0, "look at the samples listed in the evidence")
    return "; ".join(steps)


def _spell(value: float) -> str:
    return "NaN" if math.isnan(value) else ("+inf" if value > 0 else "-inf")
