"""Conditions of training recordings that travel in a checkpoint, so that new ones can be drawn like them."""

from __future__ import annotations

import torch
from torch import Tensor

from neuroprism.abr.dataset import AbrBatch
from neuroprism.abr.scaler import CONDITION_NAMES, AbrScaler

KEPT = "training_conditions"
"""Name in the state of the task."""

N_KEPT = 500


def keep_conditions(training: AbrBatch, scaler: AbrScaler) -> Tensor:
    """Return the conditions of up to 500 training recordings for a checkpoint, (n, F), float32.

    They stand evenly spaced in the set, one row a recording, so that what belongs together stays together.
    """
    n = len(training)
    rows = torch.linspace(0, n - 1, min(n, N_KEPT)).round().long()
    columns = []
    for place, name in enumerate(CONDITION_NAMES):
        values = scaler.conditions[name].invert(training.condition[rows, place].double())
        values = values.exp() if name == "fmp" else values
        columns.append(values.masked_fill(training.condition_missing[rows, place], float("nan")))
    return torch.stack(columns, dim=1).float()
