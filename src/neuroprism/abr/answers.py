"""What a method says of recordings, in one form for networks, simple methods and the ideal observer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.recordings import AbrRecordings

Floats = NDArray[np.float64]

Kind = Literal["network", "trivial", "classical", "ceiling"]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Answers of one method for N recordings; None where it says nothing of a task.

    Attributes
    ----------
    v_score
        Higher: wave V is more likely there, (N,).
    v_present
        Whether wave V counts as there, (N,).
    latency_ms, amplitude_uv
        Of wave V, provided that it is there, (N,): an answer for every recording, also where `v_present` is
        False.
    class_probability
        Probability of each hearing class, (N, K).
    threshold_db_nhl
        Of the ear, from the single recording, (N,).
    ear_threshold_db_nhl
        Of the ear, from all its recordings, (N,): the same for each of them; NaN where the ear was recorded
        at a single level or is not known.
    """

    v_score: Floats | None = None
    v_present: NDArray[np.bool_] | None = None
    latency_ms: Floats | None = None
    amplitude_uv: Floats | None = None
    class_probability: Floats | None = None
    threshold_db_nhl: Floats | None = None
    ear_threshold_db_nhl: Floats | None = None


class Method(Protocol):
    """Anything that answers for recordings.

    Attributes
    ----------
    name
        In tables, at most 24 characters.
    kind
        `trivial`: does not look at the trace; `classical`: does, without a network.
    """

    name: str
    kind: Kind

    def answer(self, recordings: AbrRecordings) -> Answers:
        """Return the answers for each recording; labels of the recordings are not looked at."""
        ...


Fit = Callable[[AbrRecordings], Method]
"""Makes a method from training recordings; tasks of which they have no label are left unanswered."""
