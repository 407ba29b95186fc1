"""Trees and logistic regression on a small set of hand-made features: the strong classical method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.answers import Answers, Kind
from neuroprism.abr.evaluation.methods import labels
from neuroprism.abr.evaluation.methods.boosting import MANY_FEATURES, BoostedClass, BoostedValue, predicted
from neuroprism.abr.evaluation.methods.criterion import best_f1_criterion
from neuroprism.abr.evaluation.methods.ear_features import ear_features
from neuroprism.abr.evaluation.methods.ear_levels import Ears
from neuroprism.abr.evaluation.methods.hand_features import HandFeatures
from neuroprism.abr.evaluation.methods.quadratic_logistic import QuadraticClass
from neuroprism.abr.recordings import AbrRecordings

Floats = NDArray[np.float64]

N_FOLDS = 3


@dataclass(kw_only=True)
class FeatureModels:
    """Gradient-boosted trees for presence and numbers, balanced logistic regression for the class.

    Attributes
    ----------
    criterion
        Probability from which wave V counts as present, for the greatest F1 in training.
    ear_threshold_db_nhl
        From `ear_features`, which it was fitted on as recordings of other patients made them.
    """

    measured: HandFeatures
    presence: BoostedClass | None
    criterion: float
    latency_ms: BoostedValue | None
    amplitude_uv: BoostedValue | None
    hearing_class: QuadraticClass | None
    threshold_db_nhl: BoostedValue | None
    ear_threshold_db_nhl: BoostedValue | None
    name: str = "hand features"
    kind: Kind = "classical"

    def answer(self, recordings: AbrRecordings) -> Answers:
        """Measure the features of each recording and predict from them."""
        features = self.measured.measure(recordings)
        probability = None if self.presence is None else self.presence.predict(features)[:, 1]
        threshold = predicted(self.threshold_db_nhl, features)
        scaled = recordings.signal_unit == "uV"
        return Answers(
            v_score=probability,
            v_present=None if probability is None else probability >= self.criterion,
            latency_ms=predicted(self.latency_ms, features),
            amplitude_uv=predicted(self.amplitude_uv, features) if scaled else None,
            class_probability=None if self.hearing_class is None else self.hearing_class.predict(features),
            threshold_db_nhl=threshold,
            ear_threshold_db_nhl=self._of_ears(recordings, probability, threshold),
        )

    def _of_ears(
        self, recordings: AbrRecordings, probability: Floats | None, threshold: Floats | None
    ) -> Floats | None:
        if self.ear_threshold_db_nhl is None or probability is None or threshold is None:
            return None
        ears = Ears.of(recordings)
        if not len(ears):
            return np.full(len(recordings), np.nan)
        seen = ear_features(recordings, ears, probability, threshold)
        return ears.spread(self.ear_threshold_db_nhl.predict(seen))


def fit_feature_models(training: AbrRecordings) -> FeatureModels:
    """Fit every task that has labels."""
    measured = HandFeatures.fit(training)
    features = measured.measure(training)
    present = labels.presence(training)
    presence = BoostedClass.fit(features, present, 2, balanced=False)
    threshold = labels.threshold_db_nhl(training)
    other = _from_other_patients(training, features) if presence is not None and threshold else None
    criterion, ear = np.inf, None
    if other is not None:
        probability, single = other
        ears = Ears.of(training)
        ear = BoostedValue.fit(ear_features(training, ears, probability, single), ears.label(threshold))
        criterion = best_f1_criterion(probability[present.known], present.values)
    elif presence is not None:
        criterion = best_f1_criterion(presence.predict(features[present.known])[:, 1], present.values)
    return FeatureModels(
        measured=measured,
        presence=presence,
        criterion=criterion,
        latency_ms=BoostedValue.fit(features, labels.latency_ms(training), MANY_FEATURES),
        amplitude_uv=BoostedValue.fit(features, labels.amplitude_uv(training), MANY_FEATURES),
        hearing_class=QuadraticClass.fit(features, labels.hearing_class(training), len(training.class_names)),
        threshold_db_nhl=BoostedValue.fit(features, threshold, MANY_FEATURES),
        ear_threshold_db_nhl=ear,
    )


def _from_other_patients(training: AbrRecordings, features: Floats) -> tuple[Floats, Floats] | None:
    """Return probability and threshold of each recording from fits without its patient, (N,) each.

    None where the rest of the patients has too few labels.
    """
    from sklearn.model_selection import GroupKFold

    if training.n_patients < N_FOLDS:
        return None
    probability, threshold = np.empty(len(training)), np.empty(len(training))
    for rest, held in GroupKFold(N_FOLDS).split(features, groups=training.patient_id):
        part = training.select(rest)
        presence = BoostedClass.fit(features[rest], labels.presence(part), 2, balanced=False)
        value = BoostedValue.fit(features[rest], labels.threshold_db_nhl(part), MANY_FEATURES)
        if presence is None or value is None:
            return None
        probability[held] = presence.predict(features[held])[:, 1]
        threshold[held] = value.predict(features[held])
    return probability, threshold
