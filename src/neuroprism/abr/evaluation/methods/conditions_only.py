"""Answers from level, age and rate: what the protocol gives away before the trace is looked at.

Levels are chosen around the threshold of the ear, so that the level alone says much about the response.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.answers import Answers, Kind
from neuroprism.abr.evaluation.methods import labels
from neuroprism.abr.evaluation.methods.boosting import BoostedClass, BoostedValue, predicted
from neuroprism.abr.evaluation.methods.conditions import conditions
from neuroprism.abr.evaluation.methods.criterion import best_f1_criterion
from neuroprism.abr.evaluation.methods.ear_levels import Ears
from neuroprism.abr.recordings import AbrRecordings

Floats = NDArray[np.float64]


@dataclass(kw_only=True)
class ConditionsOnly:
    """Gradient-boosted trees for each task; None where training has no labels.

    Attributes
    ----------
    criterion
        Probability from which wave V counts as present, for the greatest F1 in training.
    """

    presence: BoostedClass | None
    criterion: float
    latency_ms: BoostedValue | None
    amplitude_uv: BoostedValue | None
    hearing_class: BoostedClass | None
    threshold_db_nhl: BoostedValue | None
    ear_threshold_db_nhl: BoostedValue | None
    name: str = "conditions only"
    kind: Kind = "trivial"

    def answer(self, recordings: AbrRecordings) -> Answers:
        """Return the answers from the conditions of each recording."""
        seen = conditions(recordings)
        score = None if self.presence is None else self.presence.predict(seen)[:, 1]
        ear = None
        if self.ear_threshold_db_nhl is not None:
            ears = Ears.of(recordings)
            tested = tested_levels(recordings, ears)
            ear = ears.spread(self.ear_threshold_db_nhl.predict(tested) if len(ears) else np.empty(0))
        scaled = recordings.signal_unit == "uV"
        return Answers(
            v_score=score,
            v_present=None if score is None else score >= self.criterion,
            latency_ms=predicted(self.latency_ms, seen),
            amplitude_uv=predicted(self.amplitude_uv, seen) if scaled else None,
            class_probability=None if self.hearing_class is None else self.hearing_class.predict(seen),
            threshold_db_nhl=predicted(self.threshold_db_nhl, seen),
            ear_threshold_db_nhl=ear,
        )


def fit_conditions_only(training: AbrRecordings) -> ConditionsOnly:
    """Fit the trees; classes weigh the same, so that rare ones are named as well."""
    seen = conditions(training)
    present = labels.presence(training)
    presence = BoostedClass.fit(seen, present, 2, balanced=False)
    criterion = np.inf
    if presence is not None:
        criterion = best_f1_criterion(presence.predict(seen[present.known])[:, 1], present.values)
    classes = labels.hearing_class(training)
    threshold = labels.threshold_db_nhl(training)
    ears = Ears.of(training)
    return ConditionsOnly(
        presence=presence,
        criterion=criterion,
        latency_ms=BoostedValue.fit(seen, labels.latency_ms(training)),
        amplitude_uv=BoostedValue.fit(seen, labels.amplitude_uv(training)),
        hearing_class=BoostedClass.fit(seen, classes, len(training.class_names), balanced=True),
        threshold_db_nhl=BoostedValue.fit(seen, threshold),
        ear_threshold_db_nhl=BoostedValue.fit(tested_levels(training, ears), ears.label(threshold)),
    )


def tested_levels(recordings: AbrRecordings, ears: Ears) -> Floats:
    """Return of each ear: its lowest, highest and mean level, its age and its rate, (E, 5)."""
    level = recordings.level_db_nhl.astype(np.float64)
    own = conditions(recordings)[ears.first]
    return np.column_stack([ears.lowest(level), ears.highest(level), ears.mean(level), own[:, 1:]])
