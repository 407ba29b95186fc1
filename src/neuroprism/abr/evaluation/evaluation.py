"""Everything that is found out about a trained network, and how it is found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import msgspec
from threadpoolctl import threadpool_limits

from neuroprism.abr.answers import Answers, Method
from neuroprism.abr.evaluation.calibration import (
    IntervalResult,
    ReliabilityResult,
    interval_results,
    reliability,
)
from neuroprism.abr.evaluation.ceiling import CeilingResult, ceiling_result
from neuroprism.abr.evaluation.comparison import MethodCard, MetricRow, compare
from neuroprism.abr.evaluation.denoising import DenoisingResult, denoising_results
from neuroprism.abr.evaluation.generation import GenerationQuality, GenerationSettings, judge_generated
from neuroprism.abr.evaluation.groups import GroupResult, by_groups
from neuroprism.abr.evaluation.material import Material, without_labels
from neuroprism.abr.evaluation.methods import BASELINES
from neuroprism.abr.evaluation.network import NetworkMethod
from neuroprism.abr.evaluation.samples import class_answers
from neuroprism.abr.predictions import STATEMENT, AbrPredictions
from neuroprism.abr.predictor import AbrPredictor
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.trained import TrainedAbr
from neuroprism.core.errors import DataError
from neuroprism.metrics import confusion_matrix

SCHEMA_VERSION = 1


class Confusion(msgspec.Struct, kw_only=True, frozen=True):
    """Classes of recordings, and of ears by all their recordings: true classes are rows."""

    class_names: tuple[str, ...]
    recordings: list[list[int]]
    ears: list[list[int]]


class DataCard(msgspec.Struct, kw_only=True, frozen=True):
    """What was measured on, and what simple methods were fitted on."""

    origin: str
    n: int
    n_patients: int
    classes: dict[str, int]
    threshold_provenance: str
    n_training: int
    n_training_patients: int
    notes: tuple[str, ...]


class Evaluation(msgspec.Struct, kw_only=True, frozen=True):
    """An evaluation; the file `evaluation.json`.

    Attributes
    ----------
    schema_version, made, versions, statement
        Of the file.
    model
        Where the weights come from.
    data
        Where the recordings come from.
    methods
        In the order of tables; `metrics` has the scores by their names.
    metrics, groups, confusion, intervals, reliability
        Answers for the recordings.
    ceiling
        None, with the reason in `absent`, where there is none.
    denoising, generation
        Signals; likewise.
    absent
        Why a part is not there, by its name.
    """

    schema_version: int = SCHEMA_VERSION
    made: str
    versions: dict[str, str]
    statement: str = STATEMENT
    model: dict[str, str | int]
    data: DataCard
    methods: list[MethodCard]
    metrics: list[MetricRow]
    groups: list[GroupResult]
    confusion: Confusion | None
    intervals: list[IntervalResult]
    reliability: ReliabilityResult | None
    ceiling: CeilingResult | None
    denoising: list[DenoisingResult]
    generation: GenerationQuality | None
    absent: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """What is done beyond the answers.

    Attributes
    ----------
    n_ceiling
        Recordings that the ideal observer answers for; 0: none.
    n_denoising
        Recordings whose responses are denoised, at every ratio; 0: none.
    generation
        How signals are generated to be judged; None: they are not.
    seed
        Of everything that is drawn.
    """

    n_ceiling: int = 100
    n_denoising: int = 200
    generation: GenerationSettings | None = None
    seed: int = 0


@dataclass(frozen=True)
class Evaluated:
    """An evaluation with what its figures are drawn from.

    Attributes
    ----------
    result
        The numbers.
    predictions
        Of the network, for the test recordings.
    answers
        What is measured of them.
    """

    result: Evaluation
    predictions: AbrPredictions
    answers: Answers


def evaluate(
    trained: TrainedAbr,
    material: Material,
    settings: EvaluationSettings,
    *,
    progress: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Evaluated:
    """Evaluate a network beside simple methods.

    Parameters
    ----------
    trained
        Network.
    material
        Recordings.
    settings
        What to do.
    progress
        Whether to show bars.
    say
        Told what is being done.

    Raises
    ------
    UserError
        If the recordings do not fit the network.
    """
    test, training, seed = material.test, material.training, settings.seed
    say(f"Network: {len(test):,} recordings of {test.n_patients:,} patients")
    unlabelled = without_labels(test)
    predictions = AbrPredictor(trained).predict(unlabelled)
    network = NetworkMethod(trained)
    beside = _simple_methods(training, unlabelled, say)
    methods: list[Method] = [network, *(method for method, _ in beside)]
    answers = {network.name: network.of(predictions), **{method.name: found for method, found in beside}}
    say("Intervals over patients")
    metrics, groups = compare(answers, test), by_groups(answers, test)
    denoising = []
    if settings.n_denoising:
        say("Denoising")
        denoising = denoising_results(trained, training, test, n_recordings=settings.n_denoising, seed=seed)
    generation = _generation(trained, material, settings, say, progress=progress)
    say("Ceiling")
    ceiling = ceiling_result(
        answers,
        test,
        training,
        n_recordings=settings.n_ceiling,
        balanced=trained.config.loss.class_weights == "balanced",
        seed=seed,
        progress=progress,
    )
    absent = {
        "denoising": "" if denoising else _why_no_denoising(settings),
        "generation": generation if isinstance(generation, str) else "",
        "ceiling": ceiling if isinstance(ceiling, str) else "",
    }
    result = Evaluation(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={name: version(name) for name in ("neuroprism", "torch", "scikit-learn", "numpy")},
        model=trained.provenance,
        data=_card(material, predictions),
        methods=[MethodCard(name=method.name, kind=method.kind) for method in methods],
        metrics=metrics,
        groups=groups,
        confusion=_confusion(predictions, material),
        intervals=interval_results(predictions, test, training),
        reliability=reliability(predictions, test, training),
        ceiling=None if isinstance(ceiling, str) else ceiling,
        denoising=denoising,
        generation=None if isinstance(generation, str) else generation,
        absent={part: reason for part, reason in absent.items() if reason},
    )
    return Evaluated(result, predictions, answers[network.name])


def _simple_methods(
    training: AbrRecordings, unlabelled: AbrRecordings, say: Callable[[str], None]
) -> list[tuple[Method, Answers]]:
    """Fit every simple method and let it answer."""
    found = []
    # The fits are small: threads would wait for each other.
    with threadpool_limits(1):
        for fit in BASELINES:
            method = fit(training)
            say(f"Beside it: {method.name}")
            found.append((method, method.answer(unlabelled)))
    return found


def _generation(
    trained: TrainedAbr,
    material: Material,
    settings: EvaluationSettings,
    say: Callable[[str], None],
    *,
    progress: bool,
) -> GenerationQuality | str:
    """Generate and judge, or return why not."""
    if settings.generation is None:
        return "not asked for"
    say("Generated recordings")
    try:
        return judge_generated(
            trained, material.training, material.test, settings.generation, progress=progress
        )
    except DataError as error:
        # Recordings of others may lack what generation needs; the rest can still be measured.
        return str(error)


def _why_no_denoising(settings: EvaluationSettings) -> str:
    return "true responses are not known" if settings.n_denoising else "not asked for"


def _card(material: Material, predictions: AbrPredictions) -> DataCard:
    test, training = material.test, material.training
    return DataCard(
        origin=material.origin,
        n=len(test),
        n_patients=test.n_patients,
        classes=test.class_counts(),
        threshold_provenance=test.threshold_provenance,
        n_training=len(training),
        n_training_patients=training.n_patients,
        notes=(*material.notes, *predictions.notes),
    )


def _confusion(predictions: AbrPredictions, material: Material) -> Confusion | None:
    import torch

    test = material.test
    if not test.class_mask.any():
        return None
    tables = []
    for of_ear in (False, True):
        rows, probability = class_answers(predictions.class_probability, test, of_ear=of_ear)
        chosen = torch.from_numpy(probability.argmax(axis=1))
        true = torch.from_numpy(test.hearing_class[rows])
        tables.append(confusion_matrix(chosen, true, len(predictions.class_names)))
    return Confusion(class_names=predictions.class_names, recordings=tables[0], ears=tables[1])
