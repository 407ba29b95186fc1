"""Alert on steps that take much longer than they did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from neuroprism.core.records import Alert, Severity
from neuroprism.monitor.history import STEP_SECONDS, History
from neuroprism.monitor.rules.registry import rule

_N_LATE_BINS = 4


@rule("slow_step", at=("course", "epoch"), needs=("times",))
def slow_step(
    history: History,
    *,
    severity: Severity = "warning",
    slowdown: Annotated[float, Gt(1)] = 2.2,
    slow_epochs: Annotated[int, Ge(1)] = 2,
) -> Iterator[Alert]:
    """Find steps that take several times as long as in the fastest part of the run, and stay slow.

    Judged on the recorded `step_seconds`, or on the samples per second of the
    epochs. Single slow steps, as for a checkpoint, do not count.

    Parameters
    ----------
    severity
        Of the alert.
    slowdown
        Factor between now and the fastest quarter of the run.
    slow_epochs
        Last epochs that must all be slow.
    """
    stream = history.stream
    factor = None
    seconds = stream.curve.means()[:, stream.index(STEP_SECONDS)]
    seconds = seconds[~np.isnan(seconds)]
    if len(seconds) >= 3 * _N_LATE_BINS:
        # The first bin holds what is done once: compilation, caches.
        fast = float(np.quantile(seconds[1:], 0.25))
        late = seconds[-max(_N_LATE_BINS, len(seconds) // 8) :]
        factor = (
            float(np.median(late)) / fast if fast > 0 and np.quantile(late, 0.25) > slowdown * fast else None
        )
    elif history.epoch is not None or history.ended:
        factor = _by_epochs([e.samples_per_second for e in history.all_epochs], slowdown, slow_epochs)
    if factor is None:
        return
    yield Alert(
        rule="slow_step",
        kind="slow_step",
        severity=severity,
        step=stream.step,
        epoch=stream.epoch,
        message=f"steps take {factor:.1f} times as long as in the fastest part of the run",
        evidence={"factor": factor, "threshold": slowdown},
        advice=(
            "look for lists that grow and graphs that are kept (use .detach()), for other programs on the "
            "machine, and at data.dataloader.num_workers"
        ),
    )


def _by_epochs(rates: Sequence[float | None], slowdown: float, epochs: int) -> float | None:
    known = [rate for rate in rates if rate]
    if len(known) < epochs + 2:
        return None
    fast = float(np.quantile(known[:-epochs], 0.75))
    late = known[-epochs:]
    return fast / float(np.median(late)) if max(late) < fast / slowdown else None
