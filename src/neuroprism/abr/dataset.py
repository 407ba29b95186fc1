"""Recordings as batches of tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.scaler import AbrScaler
from neuroprism.core.errors import DataError


@dataclass(frozen=True, kw_only=True)
class AbrBatch:
    """B recordings with their labels; targets are standardised, 0 where their mask is False.

    Attributes
    ----------
    observed
        Recorded signal, (B, 1, T), standardised.
    target
        Trace that the diffusion learns, (B, 1, T), on the same scale.
    condition, condition_missing
        Age, level, rate and log Fmp, (B, F), and which of them are missing.
    v_present, v_mask
        1 where wave V is present, (B,); whether that can be asked.
    latency, latency_mask, amplitude, amplitude_mask
        Wave V, (B,).
    hearing_class
        Index of the class, (B,).
    threshold, threshold_censored, threshold_mask
        Threshold of the ear, (B,); censored: a lower bound.
    index
        Number of each recording in its set, (B,).
    """

    observed: Tensor
    target: Tensor
    condition: Tensor
    condition_missing: Tensor
    v_present: Tensor
    v_mask: Tensor
    latency: Tensor
    latency_mask: Tensor
    amplitude: Tensor
    amplitude_mask: Tensor
    hearing_class: Tensor
    threshold: Tensor
    threshold_censored: Tensor
    threshold_mask: Tensor
    index: Tensor

    def __len__(self) -> int:
        return int(self.index.shape[0])

    def select(self, index: Tensor) -> AbrBatch:
        """Return the recordings at these places."""
        return self._map(lambda tensor: tensor[index])

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> AbrBatch:
        """Return the batch on `device`."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> AbrBatch:
        """Return the batch in page-locked memory."""
        return self._map(lambda tensor: tensor.pin_memory())

    def _map(self, change: Callable[[Tensor], Tensor]) -> AbrBatch:
        return AbrBatch(**{field.name: change(getattr(self, field.name)) for field in fields(self)})


class AbrDataset(Dataset[AbrBatch]):
    """Recordings of one split, standardised once and served in whole batches.

    Parameters
    ----------
    recordings
        The whole set.
    indices
        Recordings of this split.
    scaler
        Fitted on the training split.
    signal_target
        `recorded`: the diffusion learns recordings as they are; `clean`: the
        noise-free trace, which simulated sets have.

    Raises
    ------
    DataError
        If `clean` is wanted and the set has no clean traces, or window, unit
        or classes of the recordings are not the scaler's.
    """

    def __init__(
        self,
        recordings: AbrRecordings,
        indices: NDArray[np.int64],
        scaler: AbrScaler,
        *,
        signal_target: Literal["recorded", "clean"] = "recorded",
    ) -> None:
        part = recordings.select(indices)
        _check_fit(part, scaler)
        observed = _standardise_signal(part.signal_uv, scaler)
        target = observed
        if signal_target == "clean":
            if part.clean_uv is None:
                raise DataError("data.signal_target is 'clean', but these recordings have no clean trace")
            target = _standardise_signal(part.clean_uv, scaler)
        condition, missing = scaler.standardise_conditions(part)
        labels = {
            "latency": _masked(part.v_latency_ms, part.latency_mask, scaler, "latency_ms"),
            "amplitude": _masked(part.v_amplitude_uv, part.amplitude_mask, scaler, "amplitude_uv"),
            "threshold": _masked(part.threshold_db_nhl, part.threshold_mask, scaler, "threshold_db_nhl"),
        }
        flags = ("v_mask", "latency_mask", "amplitude_mask", "threshold_censored", "threshold_mask")
        self.everything = AbrBatch(
            observed=observed,
            target=target,
            condition=torch.from_numpy(condition),
            condition_missing=torch.from_numpy(missing),
            v_present=torch.from_numpy(part.v_present).float(),
            hearing_class=torch.from_numpy(part.hearing_class.astype(np.int64)),
            index=torch.from_numpy(np.asarray(indices, dtype=np.int64)),
            **labels,
            **{name: torch.from_numpy(np.ascontiguousarray(getattr(part, name))) for name in flags},
        )

    def __len__(self) -> int:
        return len(self.everything)

    def __getitem__(self, place: int) -> AbrBatch:
        return self.everything.select(torch.tensor([place]))

    def __getitems__(self, places: list[int]) -> AbrBatch:
        """Return a whole batch at once: one gather per tensor instead of one per recording."""
        return self.everything.select(torch.tensor(places))


def as_is(batch: Any) -> AbrBatch:
    """Collate: the data set already serves batches."""
    served: AbrBatch = batch
    return served


def _check_fit(recordings: AbrRecordings, scaler: AbrScaler) -> None:
    for name in ("n_times", "sample_rate_hz", "start_ms", "signal_unit", "class_names"):
        found, expected = getattr(recordings, name), getattr(scaler, name)
        if found != expected:
            raise DataError(f"the recordings have {name} {found}, the scaler expects {expected}")


def _standardise_signal(signal: NDArray[np.float32], scaler: AbrScaler) -> Tensor:
    return torch.from_numpy(scaler.signal.apply(signal)).unsqueeze(1)


def _masked(values: NDArray[np.float32], mask: NDArray[np.bool_], scaler: AbrScaler, target: str) -> Tensor:
    z = scaler.targets[target].apply(np.where(mask, values, 0.0))
    return torch.from_numpy(np.where(mask, z, 0.0).astype(np.float32))
