"""How good the recordings are that a trained network generates."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np

from neuroprism.abr.columns import WAVE_V
from neuroprism.abr.evaluation.generation.distributions import Distribution, judge_distributions
from neuroprism.abr.evaluation.generation.generated_set import (
    GeneratedSet,
    GenerationSettings,
    generate_like,
)
from neuroprism.abr.evaluation.generation.matched import matched_rows
from neuroprism.abr.evaluation.generation.memorisation import Memorisation, judge_memorisation
from neuroprism.abr.evaluation.generation.transfer import (
    PRESENCE_NAMES,
    TaskName,
    Transfer,
    judge_transfer,
    labelled,
)
from neuroprism.abr.evaluation.generation.wave_measures import Reading
from neuroprism.abr.predictions import AbrPredictions
from neuroprism.abr.predictor import AbrPredictor
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.trained import TrainedAbr


class GenerationQuality(msgspec.Struct, kw_only=True, frozen=True):
    """How good generated recordings are, beside recorded ones.

    Attributes
    ----------
    n_generated
        Generated recordings, under the conditions of test recordings.
    sampling
        Checkpoint, sampler, steps, guidance and seed.
    transfer
        What a classifier learns from them, for each task that the test recordings have labels of.
    distributions
        How their waves, size and spectrum are distributed.
    memorisation
        Whether they are copies of training recordings.
    notes
        What the numbers cannot say.
    """

    n_generated: int
    sampling: dict[str, str | int | float]
    transfer: tuple[Transfer, ...]
    distributions: tuple[Distribution, ...]
    memorisation: Memorisation
    notes: tuple[str, ...]


def judge_generated(
    trained: TrainedAbr,
    training: AbrRecordings,
    test: AbrRecordings,
    settings: GenerationSettings,
    *,
    progress: bool,
) -> GenerationQuality:
    """Generate recordings under the conditions of test recordings and judge them.

    Labels of the generated recordings are what the network reads from their signals. A classifier that is
    trained on them therefore shows signal and reading together; see `Transfer` for what separates the two.

    Parameters
    ----------
    trained
        The network.
    training
        Recordings it was trained on, all of them: copies are looked for among these.
    test
        Recordings of other patients, in the window of the network.
    settings
        How many, how, and the seed.
    progress
        Whether to show a bar while generating.

    Raises
    ------
    UserError
        If the network cannot be sampled like this, or the recordings do not fit it.
    """
    made = generate_like(trained, test, settings, progress=progress)
    return judge_set(trained, made, training, test, seed=settings.seed)


def judge_set(
    trained: TrainedAbr, made: GeneratedSet, training: AbrRecordings, test: AbrRecordings, *, seed: int
) -> GenerationQuality:
    """Judge recordings that were already generated; arguments as in `judge_generated`."""
    predictor = AbrPredictor(trained)
    compared = training.select(matched_rows(training, test.select(made.rows), seed=seed))
    said = predictor.predict(compared)
    transfer = [_transfer(task, made, compared, said, test) for task in _tasks(trained, training, test)]
    read, said_of_test = Reading.of, predictor.predict(test)
    return GenerationQuality(
        n_generated=len(made.rows),
        sampling=dict(made.recordings.provenance),
        transfer=tuple(one for one in transfer if one is not None),
        distributions=judge_distributions(
            made, training, compared, test, (read(made.predictions), read(said), read(said_of_test))
        ),
        memorisation=judge_memorisation(made, training, test, seed=seed),
        notes=(*_about_noise(made), *_notes(transfer)),
    )


def _tasks(trained: TrainedAbr, training: AbrRecordings, test: AbrRecordings) -> list[TaskName]:
    """Return the tasks; classes that are named otherwise cannot be compared."""
    alike = trained.class_names == training.class_names == test.class_names
    return ["wave_v_presence", "hearing_class"] if alike else ["wave_v_presence"]


def _transfer(
    task: TaskName, made: GeneratedSet, compared: AbrRecordings, said: AbrPredictions, test: AbrRecordings
) -> Transfer | None:
    return judge_transfer(
        task,
        PRESENCE_NAMES if task == "wave_v_presence" else test.class_names,
        generated=labelled(made.recordings, task, patients=made.patients),
        recorded=labelled(compared, task),
        read=labelled(_as_read(compared, said), task),
        test=labelled(test, task),
    )


def _as_read(recordings: AbrRecordings, said: AbrPredictions) -> AbrRecordings:
    """Return recordings with what the network reads as their labels."""
    latency = recordings.wave_latency_ms.copy()
    # A marked latency outside the window would hide the label.
    latency[:, WAVE_V] = np.nan
    return replace(
        recordings,
        wave_latency_ms=latency,
        v_marked=np.ones(len(recordings), dtype=np.bool_),
        v_present=said.v_present,
        hearing_class=said.class_probability.argmax(axis=1).astype(np.int64),
    )


def _about_noise(made: GeneratedSet) -> list[str]:
    if made.recordings.clean_uv is None:
        return []
    return [
        "the network generates responses without noise: noise as strong as in the test recordings was added, "
        "and copies are looked for among responses"
    ]


def _notes(transfer: list[Transfer | None]) -> list[str]:
    notes = []
    for one in transfer:
        if one is None:
            continue
        if one.generated_to_real is None:
            notes.append(
                f"{one.task}: fewer than two classes were generated: nothing can be learned from them"
            )
        elif one.classes_not_generated:
            lacking = ", ".join(one.classes_not_generated)
            notes.append(f"{one.task}: nothing was generated that reads as {lacking}")
    return notes
