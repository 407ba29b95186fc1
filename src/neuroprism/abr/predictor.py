"""Predictions of a trained network for recordings, whatever their rate, window and format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from neuroprism.abr.dataset import AbrBatch, AbrDataset
from neuroprism.abr.denoising import denoise
from neuroprism.abr.ear_thresholds import ear_thresholds
from neuroprism.abr.estimate import Estimate
from neuroprism.abr.heads import TaskPrediction
from neuroprism.abr.losses import LIKELIHOODS
from neuroprism.abr.predictions import AbrPredictions
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.trained import TrainedAbr, Weights, load_trained
from neuroprism.abr.unlabelled import GIVEN, UNKNOWN_EAR, check_traces, unlabelled, with_conditions
from neuroprism.abr.window_fit import fit_to_window
from neuroprism.core.errors import DataError, UserError

SEEN = ("age_years", "level_db_nhl", "rate_hz")
"""Conditions that the tasks read; Fmp is never shown to them."""

NEEDED = {"level_db_nhl": "--intensity", "rate_hz": "--rate"}
"""Conditions that every training recording has, and the options that give them."""

_TARGETS = {
    "latency_ms": ("peak_latency", "latency_mean", "latency_scale"),
    "amplitude_uv": ("peak_amplitude", "amplitude_mean", "amplitude_scale"),
    "threshold_db_nhl": ("threshold", "threshold_mean", "threshold_scale"),
}
_OUTSIDE_SHARE = 0.05


class AbrPredictor:
    """Reads wave V, hearing class and threshold from recordings.

    Research software, not a medical device.

    Parameters
    ----------
    trained
        The network; `from_checkpoint` reads it.

    Examples
    --------
    >>> from neuroprism import AbrPredictor
    >>> predictor = AbrPredictor.from_checkpoint("logs/demo")  # doctest: +SKIP
    >>> found = predictor.predict(
    ...     trace_uv, sample_rate_hz=20_000, level_db_nhl=80, rate_hz=33.1
    ... )  # doctest: +SKIP
    >>> found.v_probability, found.latency_ms.value, found.latency_ms.low  # doctest: +SKIP
    """

    def __init__(self, trained: TrainedAbr) -> None:
        self.trained = trained

    @classmethod
    def from_checkpoint(
        cls, path: Path | str, *, device: str = "cpu", weights: Weights = "selected"
    ) -> AbrPredictor:
        """Read a checkpoint file or the checkpoint of a run folder; see `load_trained`."""
        return cls(load_trained(path, device=device, weights=weights))

    def predict(
        self,
        recordings: AbrRecordings | ArrayLike,
        *,
        sample_rate_hz: float | None = None,
        start_ms: float | None = None,
        unit: str | None = None,
        denoised: bool = False,
        batch_size: int = 256,
        **conditions: ArrayLike | None,
    ) -> AbrPredictions:
        """Return the predictions for each recording.

        Parameters
        ----------
        recordings
            A set of recordings, or averaged traces (N, T) or (T,).
        sample_rate_hz, start_ms, unit
            Of plain traces: samples per second; time of the first sample after the stimulus, 0 unless
            given; uV unless given.
        denoised
            Whether to denoise the traces too, which takes far longer; needs `residual_noise_uv`.
        batch_size
            Recordings that are read together; the predictions do not depend on it.
        **conditions
            `level_db_nhl`, `rate_hz`, `age_years`, `fmp`, `residual_noise_uv`: one for all or (N,);
            they replace those of a set of recordings. Level and rate are needed.

        Raises
        ------
        UserError
            With one line, if a recording is empty, flat, not finite or of another size than any ABR, lacks a
            part of the window, or lacks its level or rate.
        """
        if isinstance(recordings, AbrRecordings):
            if (sample_rate_hz, start_ms, unit) != (None, None, None):
                raise UserError("a set of recordings has its own sampling rate, start and unit")
            given = recordings
        else:
            given = unlabelled(
                recordings, sample_rate_hz=sample_rate_hz, start_ms=start_ms or 0.0, unit=unit or "uv"
            )
        check_traces(given)
        replaced = _replaced(given, conditions)
        given = with_conditions(given, conditions)
        _check_needed(self.trained, given)
        given, unknown = _without_unseen(self.trained, given)
        fitted, changes = fit_to_window(given, self.trained.scaler)
        return self._predict(fitted, replaced + unknown + changes, denoised=denoised, batch_size=batch_size)

    def _predict(
        self, recordings: AbrRecordings, notes: list[str], *, denoised: bool, batch_size: int
    ) -> AbrPredictions:
        trained = self.trained
        everything = AbrDataset(recordings, np.arange(len(recordings)), trained.scaler).everything
        tasks = _ask(trained, everything, batch_size)
        estimates, without = _estimates(trained, tasks)
        probability = torch.sigmoid(tasks.peak_logit.double()).numpy()
        level = recordings.level_db_nhl.astype(np.float64)
        known = (recordings.ear != UNKNOWN_EAR) & (recordings.patient_id != "")
        unlike, looked = _unlike(trained, recordings, everything.observed)
        return AbrPredictions(
            patient_id=recordings.patient_id,
            ear=recordings.ear,
            conditions={name: getattr(recordings, name).astype(np.float64) for name in SEEN},
            v_probability=probability,
            latency_ms=estimates["latency_ms"],
            amplitude_uv=estimates["amplitude_uv"],
            threshold_db_nhl=estimates["threshold_db_nhl"],
            class_names=trained.class_names,
            class_probability=torch.softmax(tasks.class_logits.double(), dim=-1).numpy(),
            time_ms=trained.time_ms,
            ears=ear_thresholds(recordings.ear_id, known, level, probability, estimates["threshold_db_nhl"]),
            unlike_training=tuple(unlike),
            notes=(*notes, *without, *looked),
            provenance=trained.provenance,
            denoised_uv=denoise(trained, recordings) if denoised else None,
        )


def _replaced(recordings: AbrRecordings, conditions: Mapping[str, ArrayLike | None]) -> list[str]:
    """Say which conditions of the recordings are not used because others were given."""
    own = [name for name, value in conditions.items() if value is not None and name in GIVEN]
    own = [name for name in own if np.isfinite(getattr(recordings, name)).any()]
    return [f"{name} was given: that of the recordings is not used" for name in own]


def _check_needed(trained: TrainedAbr, recordings: AbrRecordings) -> None:
    for name, option in NEEDED.items():
        n = int(np.isnan(getattr(recordings, name)).sum())
        if n and trained.scaler.condition_known(name):
            who = "the recordings" if n == len(recordings) else f"{n} of {len(recordings)} recordings"
            raise DataError(f"{name} of {who} is not known: give {name} ({option})")


def _without_unseen(trained: TrainedAbr, recordings: AbrRecordings) -> tuple[AbrRecordings, list[str]]:
    """Leave out conditions that no training recording had, and say what the network is not told."""
    notes, changed = [], {}
    for name in (*SEEN, "fmp"):
        values = getattr(recordings, name)
        if not trained.scaler.condition_known(name):
            if np.isfinite(values).any():
                changed[name] = np.full(len(recordings), np.nan, dtype=np.float32)
                notes.append(f"{name} is left out: the training recordings had none")
        elif name in SEEN and (n := int(np.isnan(values).sum())):
            notes.append(f"{name} is not known for {n} of {len(recordings)} recordings")
    return replace(recordings, **changed), notes  # type: ignore[arg-type]


@torch.no_grad()
def _ask(trained: TrainedAbr, everything: AbrBatch, batch_size: int) -> TaskPrediction:
    """Return the answers for all recordings, on the CPU."""
    parts = []
    n = len(everything)
    for first in range(0, n, batch_size):
        batch = everything.select(torch.arange(first, min(first + batch_size, n))).to(trained.device)
        parts.append(trained.network.predict_tasks(batch.observed, batch.condition, batch.condition_missing))
    return TaskPrediction(*(torch.cat(columns).cpu() for columns in zip(*parts, strict=True)))


def _estimates(trained: TrainedAbr, tasks: TaskPrediction) -> tuple[dict[str, Estimate], list[str]]:
    """Return the quantities of the tasks in their units; no interval where no likelihood was trained."""
    found, notes = {}, []
    for target, (component, mean, scale) in _TARGETS.items():
        standard = trained.scaler.targets[target]
        sd = getattr(tasks, scale).double().numpy() * standard.sd
        form = getattr(trained.config.loss, component).type
        if form not in LIKELIHOODS:
            sd = np.full_like(sd, np.nan)
            notes.append(f"{target} has no interval: its loss in training was {form}, which learns none")
        found[target] = Estimate.normal(standard.invert(getattr(tasks, mean).double().numpy()), sd)
    return found, notes


def _unlike(trained: TrainedAbr, recordings: AbrRecordings, observed: Tensor) -> tuple[list[str], list[str]]:
    """Say in what each recording is unlike the training data, and what about the set."""
    signal, notes = observed.squeeze(1).numpy(), []
    if trained.profile is not None:
        words = [f"signal: {what}" if what else "" for what in trained.profile.unlike(signal)]
    else:
        low, high = trained.scaler.clip
        outside = ((signal < low) | (signal > high)).mean(axis=1) > _OUTSIDE_SHARE
        words = ["signal: size" if there else "" for there in outside]
        notes.append(
            "this checkpoint does not hold the look of its training signals: only their size is compared"
        )
    if n := sum(map(bool, words)):
        notes.append(f"{n} of {len(words)} recordings look unlike the training recordings")
    for name in SEEN:
        if name not in trained.condition_ranges:
            continue
        low, high = trained.condition_ranges[name]
        values = getattr(recordings, name).astype(np.float64)
        slack = 1e-5 * max(abs(low), abs(high))
        outside = (values < low - slack) | (values > high + slack)
        if outside.any():
            worst = values[outside][0]
            notes.append(
                f"{name} {worst:g} is outside the training range {low:g} to {high:g} "
                f"({int(outside.sum())} of {len(values)} recordings)"
            )
            words = [
                "; ".join(filter(None, (word, name * bool(there))))
                for word, there in zip(words, outside, strict=True)
            ]
    return words, notes
