"""What a dataset is: the declaration from which head, loss, metrics and selection follow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from neuroprism.core import strict_json
from neuroprism.core.records import Split
from neuroprism.eeg.split_rules import SplitRule

TaskKind = Literal["multiclass", "binary", "regression"]

SAMPLE_RATE_HZ = 200
"""Rate of every prepared window; one patch is one second."""

RESAMPLING = "polyphase"
"""How whatever was recorded at another rate is brought to it."""

PATCH_SAMPLES = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Preprocessing:
    """What happens to a recording before windows are cut.

    Attributes
    ----------
    high_pass_hz, low_pass_hz
        Edges of a zero-phase filter on the continuous signal; None where there is none.
    butterworth_order
        Order of a Butterworth filter in second-order sections, run forward and
        backward; None filters with MNE's linear-phase FIR.
    notch_hz
        Mains frequency that is removed; None where it is not.
    reference
        ``recorded`` keeps the reference of the file, ``average`` subtracts the
        mean over the channels, ``bipolar`` forms the declared derivations.
    scale_uv
        Microvolt that become 1 at the input of a network.
    """

    high_pass_hz: float | None = None
    low_pass_hz: float | None = None
    butterworth_order: int | None = None
    notch_hz: float | None = None
    reference: Literal["recorded", "average", "bipolar"] = "recorded"
    scale_uv: float = 100.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchor:
    """A published result on the official split: what a reader may expect.

    Attributes
    ----------
    model
        Name of the model, e.g. ``"EEGNet"``.
    values
        Metric name to value; names as in `DatasetSpec.metrics`.
    source
        Citation.
    """

    model: str
    values: Mapping[str, float]
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetSpec:
    """Declaration of one downstream dataset.

    Attributes
    ----------
    name
        As on the command line, e.g. ``"PhysioNet-MI"``.
    title
        What it is, in a few words.
    task
        ``multiclass``, ``binary`` or ``regression``.
    class_names
        By label; two for binary (label 0 first), none for regression.
    channels
        Names in the order of the prepared array.
    source_rates_hz
        Sample rates that occur in the raw files.
    n_patches
        Seconds S of a window.
    sequence_length
        Windows that form one sample, above 1 where a model sees a sequence.
    preprocessing
        Filters, reference, scale.
    label_rule
        In words: how labels follow from the raw files.
    split
        Which recordings or trials belong to training, validation and test.
    within_subject
        The protocol has every subject in all three splits.
    expected
        Published number of windows per split of the complete dataset
        (sequences where `sequence_length` is above 1); empty where unknown.
    n_subjects
        Of the complete dataset.
    raw_layout
        In words: the files that `find` looks for.
    access, licence, citation, source
        How the data are obtained, and on which terms.
    anchors
        Published results.
    notes
        Where sources disagree, and what is done here.
    """

    name: str
    title: str
    task: TaskKind
    class_names: tuple[str, ...] = ()
    channels: tuple[str, ...]
    source_rates_hz: tuple[float, ...]
    n_patches: int
    sequence_length: int = 1
    preprocessing: Preprocessing
    label_rule: str
    split: SplitRule
    within_subject: bool = False
    expected: Mapping[Split, int]
    n_subjects: int
    raw_layout: str
    access: str
    licence: str
    citation: str
    source: str
    anchors: tuple[Anchor, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a declaration that contradicts itself."""
        n_names = {"multiclass": len(self.class_names), "binary": 2, "regression": 0}[self.task]
        if len(self.class_names) != n_names or (self.task == "multiclass" and n_names < 3):
            raise ValueError(f"{self.name}: {self.task} with class names {self.class_names}")
        if len(set(self.channels)) != len(self.channels):
            raise ValueError(f"{self.name}: a channel is named twice")

    @property
    def n_channels(self) -> int:
        """Channels C."""
        return len(self.channels)

    @property
    def n_times(self) -> int:
        """Samples of a window, S x 200."""
        return self.n_patches * PATCH_SAMPLES

    @property
    def n_outputs(self) -> int:
        """Outputs K of a head: classes, or 1 for binary and regression."""
        return len(self.class_names) if self.task == "multiclass" else 1

    @property
    def window_shape(self) -> tuple[int, ...]:
        """Shape of one stored sample: (C, T), or (L, C, T) for sequences."""
        window = (self.n_channels, self.n_times)
        return window if self.sequence_length == 1 else (self.sequence_length, *window)

    @property
    def loss(self) -> str:
        """Name of the one loss component."""
        return {"multiclass": "cross_entropy", "binary": "bce", "regression": "mse"}[self.task]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics of validation and test, the documented three."""
        return {
            "multiclass": ("balanced_accuracy", "kappa", "f1"),
            "binary": ("balanced_accuracy", "pr_auc_trapezoid", "roc_auc"),
            "regression": ("corrcoef", "r2", "rmse"),
        }[self.task]

    @property
    def criterion(self) -> str:
        """Validation metric that selects the checkpoint; higher is better for each."""
        return {"multiclass": "kappa", "binary": "roc_auc", "regression": "r2"}[self.task]

    def fingerprint(self) -> str:
        """Return a hash of everything that shapes a prepared store.

        Texts and published results may change without a store being outdated.
        """
        shaping = ("name", "task", "class_names", "channels", "n_patches", "sequence_length")
        assert set(shaping) <= {f.name for f in fields(self)}
        content = {name: getattr(self, name) for name in shaping}
        content["preprocessing"] = {
            f.name: getattr(self.preprocessing, f.name)
            for f in fields(self.preprocessing)
            if f.name != "scale_uv"
        }
        return hashlib.sha256(strict_json.encode(content)).hexdigest()[:16]
