"""What a run says: the typed records that every sink writes and every reader returns.

A run is described once (`RunRecord`), emits one row per optimizer step (see
`neuroprism.monitor.window.StepWindow`) and one event for everything else.
Events are tagged unions: ``event`` names the kind in `events.jsonl`.

Series names are built here and nowhere else: ``loss/<component>`` per step,
``train/<name>``, ``val/<name>``, ``test/<name>`` per epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from neuroprism.core.errors import UnknownNameError

SCHEMA_VERSION = 1

Status = Literal["running", "finished", "failed", "interrupted", "lost"]
Severity = Literal["info", "warning", "critical"]
Split = Literal["train", "val", "test"]
CheckpointReason = Literal["last", "best", "periodic", "interrupted", "stopped"]

TOTAL = "total"

KINDS = (
    "non_finite",
    "explosion",
    "lr_frozen",
    "vanishing_gradient",
    "stall",
    "oscillation",
    "spike",
    "dead_component",
    "task_stall",
    "dominance",
    "gradient_conflict",
    "ratio_drift",
    "overfitting",
    "worse_than_baseline",
    "slow_step",
    "out_of_memory",
    "checkpoint_failed",
    "sink_failed",
    "rule_failed",
)
"""Kinds of faults that alerts of this package tell of; a rule of one's own may have a kind of its own."""


def now() -> str:
    """Return the present time as ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def step_series(name: str) -> str:
    """Return the per-step series of a loss component or of the total, e.g. ``loss/signal``."""
    return f"loss/{name}"


def weight_series(name: str) -> str:
    """Return the per-step series of a weight that changes while the run goes on, e.g. ``weight/signal``."""
    return f"weight/{name}"


def epoch_series(split: Split, name: str) -> str:
    """Return the per-epoch series of a component or metric, e.g. ``val/signal``."""
    return f"{split}/{name}"


class Component(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One term of the loss.

    Attributes
    ----------
    name
        Identifier, e.g. ``"peak_latency"``.
    label
        Short name for people, e.g. ``"PeakLat"``.
    weight
        Factor in ``total = sum(weight x component)``.
    baseline
        Raw value that a constant predictor reaches on validation data;
        absent where it is not known.
    lower_bound
        Least raw value that any predictor can reach, as label smoothing sets
        one; absent where there is none.
    detail
        The progress bar leaves this component out first where the terminal
        is too narrow for all of them.
    """

    name: str
    label: str
    weight: float = 1.0
    baseline: float | None = None
    lower_bound: float | None = None
    detail: bool = False


def weighted_total(
    components: Iterable[Component], values: Mapping[str, float], weights: Mapping[str, float] | None = None
) -> float:
    """Return ``sum(weight x value)`` over the components that were computed.

    The one definition of the total: step rows, epoch means, bar, JSON and
    trackers all use it. A component absent from `values` was not computed and
    contributes nothing; one absent from `weights` has its own weight.
    """
    given = weights or {}
    return sum(given.get(c.name, c.weight) * values[c.name] for c in components if c.name in values)


def check_names(components: Iterable[Component], names: Iterable[str]) -> None:
    """Raise `UnknownNameError` for a name that no component carries."""
    valid = {c.name for c in components}
    for name in names:
        if name not in valid:
            raise UnknownNameError("loss component", name, valid)


class RunRecord(msgspec.Struct, kw_only=True):
    """The identity card of a run, kept in `run.json`.

    Attributes
    ----------
    id
        Random identifier, stable over resumes.
    status
        `running` until closed; a reader reports `lost` when the process is gone.
    attempts
        Start times of this run: the first start and every resume.
    config_hash
        SHA-256 of the resolved configuration, empty without one.
    n_epochs, steps_per_epoch
        Planned; None where the loop did not say.
    """

    id: str
    name: str
    task: str
    components: tuple[Component, ...]
    status: Status = "running"
    schema: int = SCHEMA_VERSION
    started: str = ""
    ended: str | None = None
    attempts: list[str] = msgspec.field(default_factory=list)
    host: str = ""
    pid: int = 0
    process_started: float | None = None
    seed: int | None = None
    git_revision: str | None = None
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    config_hash: str = ""
    n_epochs: int | None = None
    steps_per_epoch: int | None = None
    message: str | None = None


class Event(msgspec.Struct, kw_only=True, tag_field="event", omit_defaults=True):
    """Base of everything in `events.jsonl`; `time` is ISO 8601 UTC."""

    time: str = msgspec.field(default_factory=now)


class Started(Event, tag="started"):
    """The run began."""

    run_id: str
    components: tuple[Component, ...]


class Resumed(Event, tag="resumed"):
    """The run continues after `step` (last step kept) in `epoch`."""

    step: int
    epoch: int
    superseded_steps: int = 0


class EpochRecord(Event, tag="epoch"):
    """Means of one epoch.

    Attributes
    ----------
    train, val
        Mean raw value per component, and ``total``. `train` is the mean over
        the epoch weighted by samples. A component that was never computed is
        absent; `val` is empty where nothing was validated.
    train_metrics, val_metrics
        Metrics by name, without prefix.
    step
        Optimizer steps taken so far.
    best
        Whether the selection criterion improved in this epoch.
    weights
        Mean weight per component over the training steps where weights change
        while the run goes on: the total of `train` is the sum of these times
        the means. The total of `val` always has the components' own weights, so
        that epochs can be compared.
    """

    epoch: int
    step: int
    train: dict[str, float]
    val: dict[str, float] = msgspec.field(default_factory=dict)
    train_metrics: dict[str, float] = msgspec.field(default_factory=dict)
    val_metrics: dict[str, float] = msgspec.field(default_factory=dict)
    lr: float | None = None
    grad_norm: float | None = None
    seconds: float = 0.0
    samples_per_second: float | None = None
    best: bool | None = None
    weights: dict[str, float] = msgspec.field(default_factory=dict)

    def series(self) -> dict[str, float]:
        """Return every number of the epoch under its series name."""
        return {
            **{epoch_series("train", k): v for k, v in (self.train | self.train_metrics).items()},
            **{epoch_series("val", k): v for k, v in (self.val | self.val_metrics).items()},
        }


class Alert(Event, tag="alert"):
    """Something that a person should look at.

    An alert is raised once, updated while its cause lasts and closed when it has
    passed. A record of it is written when it is raised, when it becomes more
    severe, when it is closed and, if it still lasts, when the run ends; records
    of one alert agree in rule, kind, component and `first_seen`, and the last of
    them holds.

    Attributes
    ----------
    rule, kind
        Which rule spoke, and the kind of fault from the fixed vocabulary.
    component
        Component at fault; absent where the whole run is meant.
    step, epoch
        Where the evidence lies, e.g. the step of a spike.
    message
        One sentence with the numbers.
    evidence
        Values, window, threshold, sample ids: what the rule saw.
    advice
        What to change: the configuration key and a proposed value.
    stop
        The rule asks the loop to stop; only the loop decides.
    first_seen, last_seen
        Optimizer steps at which a rule first and last said so.
    count
        How often it said so.
    state
        `closed` once it has passed.
    at_end
        Written because the run ended; a run that goes on after all drops it.
    told
        A record before this one, no less severe, has told of it.
    """

    rule: str
    kind: str
    severity: Severity
    message: str
    component: str | None = None
    step: int | None = None
    epoch: int | None = None
    evidence: dict[str, Any] = msgspec.field(default_factory=dict)
    advice: str | None = None
    stop: bool = False
    first_seen: int | None = None
    last_seen: int | None = None
    count: int = 1
    state: Literal["open", "closed"] = "open"
    at_end: bool = False
    told: bool = False

    @property
    def is_news(self) -> bool:
        """Whether the record tells people something: the alert was raised or became more severe."""
        return self.state == "open" and not self.told

    def key(self) -> tuple[str, str, str | None, int | None]:
        """Return what the records of one alert have in common."""
        return self.rule, self.kind, self.component, self.first_seen


class Gradients(Event, tag="gradients"):
    """Gradients taken apart at one optimizer step.

    Attributes
    ----------
    norms
        Norm of the gradient of each raw, unweighted component on the parameters
        that all components share.
    cosines
        Cosine between the gradients of two components, by ``"first|second"`` in
        the order of the components; absent where a norm is 0.
    clip_rate
        Share of the steps since the last such record whose gradient was clipped.
    update_ratios
        Norm of the last update over norm of the weights, by top-level module.
    """

    step: int
    epoch: int
    norms: dict[str, float] = msgspec.field(default_factory=dict)
    cosines: dict[str, float] = msgspec.field(default_factory=dict)
    clip_rate: float | None = None
    update_ratios: dict[str, float] = msgspec.field(default_factory=dict)


class Note(Event, tag="note"):
    """A line for people: what data were used, what was masked, what was decided."""

    message: str
    severity: Severity = "info"


class CheckpointSaved(Event, tag="checkpoint"):
    """A checkpoint was written; `path` is relative to the run folder.

    Attributes
    ----------
    reason
        `last` and `best` after an epoch, `periodic` as configured, `interrupted`
        by Ctrl-C, `stopped` by an alert or for want of memory.
    """

    path: str
    step: int
    epoch: int
    reason: CheckpointReason


class TestRecord(Event, tag="test"):
    """Results on the test set with the selected weights.

    Attributes
    ----------
    intervals
        95% interval of a metric over subjects, as (low, high).
    per_subject
        Metrics of each subject.
    """

    __test__ = False

    best_epoch: int | None = None
    losses: dict[str, float] = msgspec.field(default_factory=dict)
    metrics: dict[str, float] = msgspec.field(default_factory=dict)
    confusion_matrix: list[list[int]] | None = None
    intervals: dict[str, tuple[float, float]] = msgspec.field(default_factory=dict)
    per_subject: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)


class Finished(Event, tag="finished"):
    """The run ended with `status`."""

    status: Status
    message: str | None = None


AnyEvent = (
    Started | Resumed | EpochRecord | Alert | Gradients | Note | CheckpointSaved | TestRecord | Finished
)
