"""A small set of numbers that a reader takes from a recording.

Only what the network is given too: the trace, level, age and rate. Fmp and the residual noise are left out:
they know the noise from its sub-averages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.evaluation.methods.conditions import CONDITIONS, conditions
from neuroprism.abr.evaluation.methods.noise_shape import after_artefact
from neuroprism.abr.evaluation.methods.peaks import pick_peaks
from neuroprism.abr.evaluation.methods.templates import Templates
from neuroprism.abr.recordings import AbrRecordings

Floats = NDArray[np.float64]

FROM_TRACE = (
    "evidence for the template",
    "template correlation",
    "lag of the template",
    "spread of the lag",
    "template lag beyond expectation",
    "template size",
    "picked latency",
    "picked latency beyond expectation",
    "picked amplitude",
    "interval I-III",
    "interval III-V",
    "interval I-V",
    "evidence with wave III",
    "correlation with wave III",
    "lag with wave III",
    "spread of the lag with wave III",
    "size with wave III",
    "log SD of the trace",
    "log SD of its differences",
)
FEATURES = (*CONDITIONS, *FROM_TRACE)

WITH_WAVE_III_MS = 2.8
"""How far before wave V the second template begins: before wave III."""


@dataclass(frozen=True, kw_only=True)
class HandFeatures:
    """Measures the features of recordings.

    Attributes
    ----------
    templates, with_third
        Of wave V, and of waves III to V; None where training has no latencies: then nothing is measured on
        the trace.
    """

    templates: Templates | None
    with_third: Templates | None

    @classmethod
    def fit(cls, training: AbrRecordings) -> HandFeatures:
        """Make the templates."""
        return cls(
            templates=Templates.fit(training),
            with_third=Templates.fit(training, before_ms=WITH_WAVE_III_MS, max_bands=1),
        )

    def measure(self, recordings: AbrRecordings) -> Floats:
        """Return `FEATURES`, (N, F); NaN where one is not known or a wave is not found."""
        known = conditions(recordings)
        if self.templates is None or self.with_third is None:
            return np.column_stack([known, np.full((len(recordings), len(FROM_TRACE)), np.nan)])
        match, third = self.templates.match(recordings), self.with_third.match(recordings)
        picked = pick_peaks(_without_noise(recordings), self.templates.expected)
        return np.column_stack(
            [
                known,
                np.log1p(np.maximum(match.evidence, 0.0)),
                match.correlation,
                match.latency_ms,
                match.spread_ms,
                match.latency_ms - picked.expected_ms,
                match.amplitude,
                picked.latency_ms,
                picked.latency_ms - picked.expected_ms,
                picked.amplitude,
                picked.interpeak_ms,
                np.log1p(np.maximum(third.evidence, 0.0)),
                third.correlation,
                third.latency_ms,
                third.spread_ms,
                third.amplitude,
                _log_sd(recordings),
            ]
        )


def _without_noise(recordings: AbrRecordings) -> AbrRecordings:
    """Return the recordings as if their residual noise were not known: it is then taken from the trace."""
    return replace(recordings, residual_noise_uv=np.full(len(recordings), np.nan, dtype=np.float32))


def _log_sd(recordings: AbrRecordings) -> Floats:
    """Return the logarithm of the SD of each trace and of its differences, after the artefact, (N, 2)."""
    trace = recordings.signal_uv[:, after_artefact(recordings.time_ms)].astype(np.float64)
    sd = np.column_stack([trace.std(axis=1), np.diff(trace, axis=1).std(axis=1)])
    found: Floats = np.log(np.maximum(sd, np.finfo(np.float32).tiny))
    return found
