"""What is measured on the answers of a method: one declaration a metric.

The samples of a metric (recordings, or ears) are chosen by the labels alone, so that all methods are
measured on the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neuroprism.abr.evaluation import measures
from neuroprism.abr.evaluation.measures import Measure
from neuroprism.metrics import confusion, resampling

Task = Literal["presence", "latency", "amplitude", "class", "ear class", "threshold", "ear threshold"]

Better = Literal["higher", "lower", "zero"]
"""Which values are better; zero: the nearer to it."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric.

    Attributes
    ----------
    name
        In files, with its unit.
    task, label, unit
        In tables.
    better
        Which values are.
    measure
        Builds the statistic.
    """

    name: str
    task: Task
    label: str
    unit: str = ""
    better: Better = "higher"
    measure: Measure

    @property
    def digits(self) -> int:
        """Decimal places in tables."""
        return {"dB": 2, "uV": 4}.get(self.unit, 3)


def _numeric(quantity: str, task: Task, unit: str, limits: tuple[float, ...]) -> list[Metric]:
    """Return the metrics of a quantity of `Answers`."""
    ending = {"ms": "ms", "uV": "uv", "dB": "db"}[unit]
    name = quantity.removesuffix(f"_{ending}").removesuffix("_db_nhl")
    return [
        Metric(
            name=f"{name}_mae_{ending}",
            task=task,
            label="MAE",
            unit=unit,
            better="lower",
            measure=measures.errors(quantity, measures.mean_absolute),
        ),
        Metric(
            name=f"{name}_bias_{ending}",
            task=task,
            label="bias",
            unit=unit,
            better="zero",
            measure=measures.errors(quantity, measures.mean_signed),
        ),
        *(
            Metric(
                name=f"{name}_within_{limit:g}_{ending}",
                task=task,
                label=f"within {limit:g} {unit}",
                measure=measures.errors(quantity, measures.share_within(limit)),
            )
            for limit in limits
        ),
        Metric(
            name=f"{name}_r2",
            task=task,
            label="R2",
            measure=measures.errors(quantity, resampling.determination),
        ),
    ]


def _class(prefix: str, task: Task, *, of_ear: bool) -> list[Metric]:
    formulas = {
        "balanced_accuracy": ("balanced accuracy", confusion.balanced_accuracy),
        "macro_f1": ("macro-F1", confusion.macro_f1),
    }
    return [
        *(
            Metric(
                name=f"{prefix}_{name}",
                task=task,
                label=label,
                measure=measures.decided_class(formula, of_ear=of_ear),
            )
            for name, (label, formula) in formulas.items()
        ),
        Metric(
            name=f"{prefix}_roc_auc", task=task, label="AUROC", measure=measures.class_area(of_ear=of_ear)
        ),
    ]


_PRESENCE = {
    "f1": ("F1", lambda counts: confusion.f1_scores(counts)[..., 1]),
    "sensitivity": ("sensitivity", lambda counts: confusion.recalls(counts)[..., 1]),
    "specificity": ("specificity", lambda counts: confusion.recalls(counts)[..., 0]),
}

METRICS: tuple[Metric, ...] = (
    Metric(name="v_roc_auc", task="presence", label="AUROC", measure=measures.detection_area),
    *(
        Metric(name=f"v_{name}", task="presence", label=label, measure=measures.detection(formula))
        for name, (label, formula) in _PRESENCE.items()
    ),
    *_numeric("latency_ms", "latency", "ms", (0.1, 0.2)),
    Metric(
        name="v_found_within_0.2_ms",
        task="latency",
        label="detected and within 0.2 ms",
        measure=measures.found_within(0.2),
    ),
    *_numeric("amplitude_uv", "amplitude", "uV", (0.05,)),
    *_class("class", "class", of_ear=False),
    *_class("ear_class", "ear class", of_ear=True),
    *_numeric("threshold_db_nhl", "threshold", "dB", (5.0, 10.0, 15.0)),
    *_numeric("ear_threshold_db_nhl", "ear threshold", "dB", (5.0, 10.0, 15.0)),
)
"""Everything that is measured, in the order of the report."""

HEADLINES: dict[Task, str] = {
    "presence": "v_roc_auc",
    "latency": "latency_mae_ms",
    "amplitude": "amplitude_mae_uv",
    "class": "class_balanced_accuracy",
    "ear class": "ear_class_balanced_accuracy",
    "threshold": "threshold_mae_db",
    "ear threshold": "ear_threshold_mae_db",
}
"""The metric that stands for each task where there is room for one."""


def by_name(name: str) -> Metric:
    """Return a metric."""
    return next(metric for metric in METRICS if metric.name == name)
