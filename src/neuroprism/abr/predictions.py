"""What a network says of recordings: values with intervals, in their units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.ear_thresholds import PRESENT_FROM, EarThreshold
from neuroprism.abr.estimate import Estimate

STATEMENT = "Research software, not a medical device: not for diagnosis or treatment of patients."

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class AbrPredictions:
    """Predictions for N recordings.

    Attributes
    ----------
    patient_id, ear
        Whose ear, (N,).
    conditions
        Age, level and rate as the network was given them, (N,) each; NaN: not known.
    v_probability
        Probability that wave V is present, (N,).
    latency_ms, amplitude_uv
        Of wave V, provided that it is present; amplitude from peak to following trough.
    threshold_db_nhl
        Of the ear, from the single recording.
    class_names, class_probability
        Hearing classes of the training data and their probabilities, (N, K).
    denoised_uv
        Responses without noise, (N, T), in the unit of the signals; None where they were not asked for.
    time_ms
        Time of each sample after the stimulus, (T,).
    ears
        Thresholds of the ears of which there is more than one level.
    unlike_training
        In what each recording is unlike the training data; empty: in nothing that was looked at.
    notes
        What was done to the recordings, and what the numbers cannot say.
    provenance
        Where the weights come from.
    statement
        What the numbers are not for.

    Examples
    --------
    >>> predictions.latency_ms.value  # doctest: +SKIP
    """

    patient_id: NDArray[np.str_]
    ear: NDArray[np.str_]
    conditions: Mapping[str, Floats]
    v_probability: Floats
    latency_ms: Estimate
    amplitude_uv: Estimate
    threshold_db_nhl: Estimate
    class_names: tuple[str, ...]
    class_probability: Floats
    time_ms: Floats
    ears: tuple[EarThreshold, ...]
    unlike_training: tuple[str, ...]
    notes: tuple[str, ...]
    provenance: Mapping[str, str | int]
    denoised_uv: NDArray[np.float32] | None = None
    statement: str = STATEMENT

    def __len__(self) -> int:
        return len(self.v_probability)

    @property
    def v_present(self) -> NDArray[np.bool_]:
        """Where wave V counts as present, (N,)."""
        present: NDArray[np.bool_] = self.v_probability >= PRESENT_FROM
        return present

    @property
    def hearing_class(self) -> NDArray[np.str_]:
        """Name of the most probable class, (N,)."""
        names: NDArray[np.str_] = np.asarray(self.class_names)[self.class_probability.argmax(axis=1)]
        return names

    def columns(self) -> dict[str, list[Any]]:
        """Return a table with the units in its names; None where a value does not apply.

        Latency and amplitude stand only where wave V counts as present.
        """
        ears = {row: ear for ear in self.ears for row in ear.rows}
        found = [ears.get(row) for row in range(len(self))]
        table: dict[str, list[Any]] = {
            "recording": list(range(1, len(self) + 1)),
            "patient_id": self.patient_id.tolist(),
            "ear": self.ear.tolist(),
            **{name: _plain(values) for name, values in self.conditions.items()},
            "wave_v_probability": _plain(self.v_probability),
            "wave_v_present": self.v_present.tolist(),
            **_bounds("wave_v_latency", "ms", self.latency_ms, self.v_present),
            **_bounds("wave_v_amplitude", "uv", self.amplitude_uv, self.v_present),
            "hearing_class": self.hearing_class.tolist(),
        }
        for name, values in zip(self.class_names, self.class_probability.T, strict=True):
            table[f"probability_{name}"] = _plain(values)
        table |= _bounds("threshold", "db_nhl", self.threshold_db_nhl, np.ones(len(self), dtype=np.bool_))
        for ending in ("threshold_db_nhl", "low_db_nhl", "high_db_nhl"):
            name = "ear_threshold_" + ending.removeprefix("threshold_")
            table[name] = _plain([np.nan if ear is None else getattr(ear, ending) for ear in found])
        table["ear_lowest_level_with_v_db_nhl"] = [
            None if ear is None else ear.lowest_level_with_v_db_nhl for ear in found
        ]
        table["unlike_training"] = list(self.unlike_training)
        return table


def _bounds(name: str, unit: str, estimate: Estimate, where: NDArray[np.bool_]) -> dict[str, list[Any]]:
    parts = {f"{name}_{unit}": "value", f"{name}_low_{unit}": "low", f"{name}_high_{unit}": "high"}
    return {key: _plain(np.where(where, getattr(estimate, part), np.nan)) for key, part in parts.items()}


def _plain(values: Any) -> list[float | None]:
    """Return numbers, None for NaN."""
    return [None if np.isnan(value) else float(value) for value in values]
