"""A trained network as a method among others."""

from __future__ import annotations

import numpy as np

from neuroprism.abr.answers import Answers, Floats, Kind
from neuroprism.abr.predictions import AbrPredictions
from neuroprism.abr.predictor import AbrPredictor
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.trained import TrainedAbr


class NetworkMethod:
    """Answers of a trained network.

    Parameters
    ----------
    trained
        The network.
    """

    name = "network"
    kind: Kind = "network"

    def __init__(self, trained: TrainedAbr) -> None:
        self.trained = trained

    def answer(self, recordings: AbrRecordings) -> Answers:
        """Return the answers for each recording; its labels are not looked at."""
        return self.of(AbrPredictor(self.trained).predict(recordings))

    def of(self, predictions: AbrPredictions) -> Answers:
        """Return predictions as answers.

        A threshold beyond the highest level of the training data reads "no response there"; it cannot be
        further off than that level.
        """
        highest = self.trained.scaler.condition_range["level_db_nhl"][1]
        return Answers(
            v_score=predictions.v_probability,
            v_present=predictions.v_present,
            latency_ms=predictions.latency_ms.value,
            amplitude_uv=predictions.amplitude_uv.value,
            class_probability=predictions.class_probability,
            threshold_db_nhl=np.minimum(predictions.threshold_db_nhl.value, highest),
            ear_threshold_db_nhl=np.minimum(_by_recording(predictions), highest),
        )


def _by_recording(predictions: AbrPredictions) -> Floats:
    """Return the threshold of the ear of each recording, (N,)."""
    values = np.full(len(predictions), np.nan)
    for ear in predictions.ears:
        values[list(ear.rows)] = ear.threshold_db_nhl
    return values
