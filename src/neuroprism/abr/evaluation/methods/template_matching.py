"""Template matching: wave V is where the mean training response fits best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.answers import Answers, Kind
from neuroprism.abr.evaluation.methods import labels
from neuroprism.abr.evaluation.methods.conditions import conditions
from neuroprism.abr.evaluation.methods.detector import Detector
from neuroprism.abr.evaluation.methods.least_absolute import LinearValue, predicted
from neuroprism.abr.evaluation.methods.templates import Matches, Templates
from neuroprism.abr.recordings import AbrRecordings

Floats = NDArray[np.float64]


@dataclass(kw_only=True)
class TemplateMatching:
    """The evidence for the template as score, its lag as latency, its size as amplitude.

    Attributes
    ----------
    templates
        None where training has no latencies to align at: then nothing is answered.
    amplitude_uv
        From the fitted size and the evidence: in noise the best fit is too large.
    threshold_db_nhl
        From what the match says and the conditions.
    """

    templates: Templates | None
    detector: Detector | None = None
    amplitude_uv: LinearValue | None = None
    threshold_db_nhl: LinearValue | None = None
    name: str = "template matching"
    kind: Kind = "classical"

    def answer(self, recordings: AbrRecordings) -> Answers:
        """Match each recording."""
        if self.templates is None:
            return Answers()
        found = self.templates.match(recordings)
        sizes = _sizes(found)
        score, detector = found.evidence, self.detector
        ear = None if detector is None else detector.ear_threshold_db_nhl(recordings, score)
        scaled = recordings.signal_unit == "uV"
        seen = _seen(recordings, self.templates, found)
        return Answers(
            v_score=score,
            v_present=None if detector is None else detector.present(score),
            latency_ms=found.latency_ms,
            amplitude_uv=predicted(self.amplitude_uv, sizes) if scaled else None,
            threshold_db_nhl=predicted(self.threshold_db_nhl, seen),
            ear_threshold_db_nhl=ear,
        )


def fit_template_matching(training: AbrRecordings) -> TemplateMatching:
    """Average the templates and choose the criteria on the training recordings."""
    templates = Templates.fit(training)
    if templates is None:
        return TemplateMatching(templates=None)
    found = templates.match(training)
    return TemplateMatching(
        templates=templates,
        detector=Detector.fit(training, found.evidence),
        amplitude_uv=LinearValue.fit(_sizes(found), labels.amplitude_uv(training)),
        threshold_db_nhl=LinearValue.fit(
            _seen(training, templates, found), labels.threshold_db_nhl(training)
        ),
    )


def _sizes(found: Matches) -> Floats:
    return np.column_stack([found.amplitude, np.maximum(found.evidence, 0.0)])


def _seen(recordings: AbrRecordings, templates: Templates, found: Matches) -> Floats:
    """Return what the threshold is read from, (N, 7)."""
    later_ms = found.latency_ms - templates.expected.expected_ms(recordings)
    evidence = np.log1p(np.maximum(found.evidence, 0.0))
    return np.column_stack([conditions(recordings), later_ms, evidence, found.correlation, found.amplitude])
