"""What a network says about every sample of a split, as a file beside the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuroprism.core import strict_json
from neuroprism.eeg.store import EegStore


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Outputs beside labels; the windows of a sequence are rows of their own, in their order.

    Attributes
    ----------
    outputs
        Logits (n, K); one logit or value (n,) for binary and regression.
    y
        (n,) labels.
    index
        (n,) number of the sample in its store.
    """

    outputs: npt.NDArray[np.float64]
    y: npt.NDArray[Any]
    index: npt.NDArray[np.int64]

    def lines(self, store: EegStore) -> bytes:
        """Return one JSON object a window: where it comes from, its label, the outputs of the network."""
        spec = store.spec
        place = np.arange(len(self.y)) % spec.sequence_length
        columns = {
            "subject": store.subjects[self.index],
            "recording": store.recordings[self.index],
            "start_s": store.starts_s[self.index] + place * spec.n_patches,
            "label": self.y,
            "output": self.outputs,
        }
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        return b"".join(strict_json.encode(dict(zip(columns, row, strict=True))) + b"\n" for row in rows)
