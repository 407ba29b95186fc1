"""Losses and metrics over all recordings of a split, from pooled predictions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor

from neuroprism.abr.dataset import AbrBatch
from neuroprism.abr.heads import TaskPrediction
from neuroprism.abr.scaler import AbrScaler
from neuroprism.metrics import balanced_accuracy, binary_f1, macro_f1, mae, r2, roc_auc
from neuroprism.train.task import LossTerms

_METRICS = (
    "balanced_accuracy",
    "macro_f1",
    "v_f1",
    "v_roc_auc",
    "latency_mae_ms",
    "amplitude_mae_uv",
    "threshold_mae_db",
    "threshold_r2",
)


def noise_level_metric(t: int) -> str:
    """Return the name of the signal loss at diffusion step `t`; 1 is the loss of predicting zero."""
    return f"signal_by_noise/t{t:03d}"


class PooledResults:
    """Collects a split batch by batch; nothing is averaged before the end.

    Parameters
    ----------
    scaler
        Turns standardised targets into ms, uV and dB.
    """

    def __init__(self, scaler: AbrScaler) -> None:
        self.scaler = scaler
        self._sums: dict[str, float] = defaultdict(float)
        self._counts: dict[str, float] = defaultdict(float)
        self._columns: dict[str, list[Tensor]] = defaultdict(list)

    @staticmethod
    def metric_names(noise_levels: Iterable[int]) -> tuple[str, ...]:
        """Return the names of all metrics that may appear."""
        return (*_METRICS, *(noise_level_metric(t) for t in noise_levels))

    def add_losses(self, terms: LossTerms, t: Tensor, errors: Tensor) -> None:
        """Add the components of a batch, and the unweighted signal errors (B,) at steps (B,)."""
        for name, value in terms.values.items():
            count = float(terms.counts[name])
            self._sums[name] += float(value) * count
            self._counts[name] += count
        self._columns["t"].append(t.cpu())
        self._columns["error"].append(errors.double().cpu())

    def add_predictions(self, prediction: TaskPrediction, batch: AbrBatch) -> None:
        """Add the predictions of a batch beside its labels."""
        columns = {
            "class": prediction.class_logits.argmax(dim=-1),
            "v": torch.sigmoid(prediction.peak_logit),
            "latency": prediction.latency_mean,
            "amplitude": prediction.amplitude_mean,
            "threshold": prediction.threshold_mean,
            "class_true": batch.hearing_class,
            "v_true": batch.v_present,
            "v_mask": batch.v_mask,
            "latency_true": batch.latency,
            "latency_mask": batch.latency_mask,
            "amplitude_true": batch.amplitude,
            "amplitude_mask": batch.amplitude_mask,
            "threshold_true": batch.threshold,
            # A lower bound has no error; only measured thresholds count.
            "threshold_mask": batch.threshold_mask & ~batch.threshold_censored,
        }
        for name, column in columns.items():
            self._columns[name].append(column.cpu())

    def losses(self) -> dict[str, float]:
        """Return the mean of each component over its valid elements; absent where there are none."""
        return {name: self._sums[name] / count for name, count in self._counts.items() if count > 0}

    def metrics(self) -> dict[str, float]:
        """Return every metric that applies."""
        pooled = {name: torch.cat(parts) for name, parts in self._columns.items()}
        n_classes = len(self.scaler.class_names)
        asked, labelled = pooled["v_mask"], pooled["class_true"] >= 0
        found: dict[str, float | None] = {}
        if bool(labelled.any()):
            classes = pooled["class"][labelled], pooled["class_true"][labelled]
            found["balanced_accuracy"] = balanced_accuracy(*classes, n_classes)
            found["macro_f1"] = macro_f1(*classes, n_classes)
        if bool(asked.any()):
            found["v_f1"] = binary_f1(pooled["v"][asked], pooled["v_true"][asked])
            found["v_roc_auc"] = roc_auc(pooled["v"][asked], pooled["v_true"][asked])
        found["latency_mae_ms"] = mae(*self._pair(pooled, "latency", "latency_ms"))
        found["amplitude_mae_uv"] = mae(*self._pair(pooled, "amplitude", "amplitude_uv"))
        predicted, measured = self._pair(pooled, "threshold", "threshold_db_nhl")
        # A threshold beyond the highest level reads "no response there"; it cannot be further off.
        threshold = predicted.clamp(max=self.scaler.condition_range["level_db_nhl"][1]), measured
        found["threshold_mae_db"], found["threshold_r2"] = mae(*threshold), r2(*threshold)
        for t in sorted(set(pooled["t"].tolist())):
            found[noise_level_metric(t)] = float(pooled["error"][pooled["t"] == t].mean())
        return {name: value for name, value in found.items() if value is not None}

    def _pair(self, pooled: dict[str, Tensor], name: str, target: str) -> tuple[Tensor, Tensor]:
        """Return predicted and true values of one target in its own unit, where it is known."""
        mask, standard = pooled[f"{name}_mask"], self.scaler.targets[target]
        return standard.invert(pooled[name][mask]), standard.invert(pooled[f"{name}_true"][mask])
