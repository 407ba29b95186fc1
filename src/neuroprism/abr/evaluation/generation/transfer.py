"""What a classifier learns from generated recordings: train on synthetic, test on real, and the reverse.

Esteban, Hyland and Ratsch 2017, arXiv 1706.02633. A generated signal has the label that the network reads
from it, so that training on generated recordings measures signal and reading together. Recorded signals with
labels that are read in the same way separate the two: what they lose against true labels is the reading, what
generated ones lose against them is the signal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.evaluation.generation.classifier import Floats, Labels, SimpleClassifier
from neuroprism.abr.evaluation.score import Score, difference, score
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.metrics import confusion, ranking, resampling
from neuroprism.metrics.intervals import Statistic

TaskName = Literal["wave_v_presence", "hearing_class"]

PRESENCE_NAMES = ("absent", "present")


class Outcome(msgspec.Struct, kw_only=True, frozen=True):
    """How well a classifier does, or the difference of two; None where a number is not defined.

    Attributes
    ----------
    roc_auc
        Area under the ROC curve, of two classes only; 0.5 is chance.
    balanced_accuracy
        Mean recall of the classes that occur in the test.
    macro_f1
        Mean F1 of the classes that occur in the test or are predicted.
    """

    roc_auc: Score | None
    balanced_accuracy: Score | None
    macro_f1: Score | None


class Trivial(msgspec.Struct, kw_only=True, frozen=True):
    """What it is worth to answer one class for every test recording.

    It is the commonest class of the recorded sample, or of the test recordings where that has no label.
    """

    answer: str
    roc_auc: float | None
    balanced_accuracy: float
    macro_f1: float


class Transfer(msgspec.Struct, kw_only=True, frozen=True):
    """Classifiers that were fitted on generated and on recorded traces, for one task.

    All are fitted on as many recordings under the same conditions, as far as these have labels, and tested
    on the test recordings unless said otherwise. Intervals are over the test patients; the fits stay as they
    are.

    Attributes
    ----------
    task
        What is told apart.
    n_test, n_generated, n_recorded
        Recordings with a label.
    generated_classes, recorded_classes, read_classes, test_classes
        Recordings of each class: generated ones as read, recorded training ones as labelled and as read, test
        recordings as labelled.
    classes_not_generated
        Classes of the test that were read in no generated recording: a classifier fitted on generated ones
        never answers them.
    generated_to_real
        Fitted on generated traces with read labels. None where fewer than two classes were read.
    recorded_to_real
        Baseline: fitted on recorded training traces with their true labels.
    read_to_real
        Fitted on the same recorded traces with labels read by the network.
    conditions_to_real
        Fitted on level, age and rate of the same recordings without a trace, with true labels.
    trivial_to_real
        A constant answer.
    generated_minus_recorded
        `generated_to_real` minus `recorded_to_real`, resampled together.
    recorded_to_generated
        The classifier of `recorded_to_real` tested on generated traces against their read labels.
    """

    task: TaskName
    n_test: int
    n_generated: int
    n_recorded: int
    generated_classes: dict[str, int]
    recorded_classes: dict[str, int]
    read_classes: dict[str, int]
    test_classes: dict[str, int]
    classes_not_generated: tuple[str, ...]
    generated_to_real: Outcome | None
    recorded_to_real: Outcome | None
    read_to_real: Outcome | None
    conditions_to_real: Outcome | None
    trivial_to_real: Trivial
    generated_minus_recorded: Outcome | None
    recorded_to_generated: Outcome | None


@dataclass(frozen=True)
class Labelled:
    """Recordings with a class each, (N,), and whose they are, (N,)."""

    recordings: AbrRecordings
    labels: Labels
    patients: NDArray[np.str_]

    def counts(self, names: tuple[str, ...]) -> dict[str, int]:
        """Count the recordings of each class."""
        counts = np.bincount(self.labels, minlength=len(names))
        return {name: int(count) for name, count in zip(names, counts, strict=True)}


def labelled(
    recordings: AbrRecordings, task: TaskName, *, patients: NDArray[np.str_] | None = None
) -> Labelled:
    """Return the recordings that have a label of the task.

    Parameters
    ----------
    recordings
        N recordings.
    task
        Which label.
    patients
        Who is resampled, (N,); the patients of the recordings by default.
    """
    owners = recordings.patient_id if patients is None else patients
    if task == "wave_v_presence":
        rows, labels = recordings.v_mask, recordings.v_present.astype(np.int64)
    else:
        rows, labels = recordings.class_mask, recordings.hearing_class
    return Labelled(recordings.select(rows), labels[rows], owners[rows])


def judge_transfer(
    task: TaskName,
    names: tuple[str, ...],
    *,
    generated: Labelled,
    recorded: Labelled,
    read: Labelled,
    test: Labelled,
) -> Transfer | None:
    """Fit and test the classifiers of one task; None where fewer than two classes occur in the test.

    Parameters
    ----------
    task, names
        What is told apart, and the classes by index.
    generated
        Generated recordings with read labels.
    recorded, read
        Training recordings with true labels and with read ones.
    test
        Test recordings with true labels.
    """
    if len(np.unique(test.labels)) < 2:
        return None
    fits = {
        "generated": _fit(generated, names),
        "recorded": _fit(recorded, names),
        "read": _fit(read, names),
        "conditions": _fit(recorded, names, traces=False),
    }
    on_test = {key: _tested(fit, test, names) for key, fit in fits.items()}
    on_generated = _tested(fits["recorded"], generated, names)
    generated_classes, test_classes = generated.counts(names), test.counts(names)
    return Transfer(
        task=task,
        n_test=len(test.labels),
        n_generated=len(generated.labels),
        n_recorded=len(recorded.labels),
        generated_classes=generated_classes,
        recorded_classes=recorded.counts(names),
        read_classes=read.counts(names),
        test_classes=test_classes,
        classes_not_generated=tuple(
            name for name in names if test_classes[name] and not generated_classes[name]
        ),
        generated_to_real=_outcome(on_test["generated"], test),
        recorded_to_real=_outcome(on_test["recorded"], test),
        read_to_real=_outcome(on_test["read"], test),
        conditions_to_real=_outcome(on_test["conditions"], test),
        trivial_to_real=_trivial(recorded, test, names),
        generated_minus_recorded=_difference(on_test["generated"], on_test["recorded"], test),
        recorded_to_generated=_outcome(on_generated, generated),
    )


Tested = dict[str, Statistic]
"""Statistics by the names of `Outcome`."""


def _fit(given: Labelled, names: tuple[str, ...], *, traces: bool = True) -> SimpleClassifier | None:
    if len(np.unique(given.labels)) < 2:
        return None
    return SimpleClassifier(given.recordings, given.labels, len(names), traces=traces)


def _tested(fit: SimpleClassifier | None, on: Labelled, names: tuple[str, ...]) -> Tested | None:
    if fit is None or not len(on.labels):
        return None
    return _statistics(fit.probability(on.recordings), on, len(names))


def _statistics(probability: Floats, on: Labelled, n_classes: int) -> Tested:
    predicted = probability.argmax(axis=1)

    def of(formula: Callable[[Floats], Floats]) -> Statistic:
        return resampling.of_counts(formula, predicted, on.labels, on.patients, n_classes)

    found = {"balanced_accuracy": of(confusion.balanced_accuracy), "macro_f1": of(confusion.macro_f1)}
    if n_classes == 2:
        found["roc_auc"] = resampling.of_ranking(ranking.roc_area, probability[:, 1], on.labels, on.patients)
    return found


def _outcome(tested: Tested | None, on: Labelled) -> Outcome | None:
    if tested is None:
        return None
    return _named({name: score(statistic, on.patients) for name, statistic in tested.items()})


def _difference(first: Tested | None, second: Tested | None, on: Labelled) -> Outcome | None:
    if first is None or second is None:
        return None
    return _named({name: difference(first[name], second[name], on.patients) for name in first})


def _named(scores: dict[str, Score | None]) -> Outcome:
    return Outcome(
        roc_auc=scores.get("roc_auc"),
        balanced_accuracy=scores["balanced_accuracy"],
        macro_f1=scores["macro_f1"],
    )


def _trivial(recorded: Labelled, test: Labelled, names: tuple[str, ...]) -> Trivial:
    seen = recorded if len(recorded.labels) else test
    answer = int(np.bincount(seen.labels).argmax())
    constant = np.zeros((len(test.labels), len(names)))
    constant[:, answer] = 1.0
    once = np.ones((1, len(np.unique(test.patients))))
    found = {name: float(of(once)[0]) for name, of in _statistics(constant, test, len(names)).items()}
    return Trivial(
        answer=names[answer],
        roc_auc=found.get("roc_auc"),
        balanced_accuracy=found["balanced_accuracy"],
        macro_f1=found["macro_f1"],
    )
