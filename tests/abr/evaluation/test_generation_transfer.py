"""What classifiers learn from generated recordings, with generators that are perfect, poor and one-sided."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroprism.abr import split_by_patient
from neuroprism.abr.columns import HEARING_CLASSES
from neuroprism.abr.evaluation.generation.classifier import SimpleClassifier
from neuroprism.abr.evaluation.generation.transfer import (
    PRESENCE_NAMES,
    Labelled,
    TaskName,
    Transfer,
    judge_transfer,
    labelled,
)
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.simulate import SimulationConfig, simulate
from neuroprism.abr.splits import SplitConfig

N = 400
RNG = np.random.default_rng(2)
NAMES: dict[TaskName, tuple[str, ...]] = {
    "wave_v_presence": PRESENCE_NAMES,
    "hearing_class": HEARING_CLASSES,
}


@pytest.fixture(scope="module")
def recorded(balanced_set: AbrRecordings) -> AbrRecordings:
    train = split_by_patient(balanced_set, SplitConfig()).train
    return balanced_set.select(RNG.permutation(train)[:N])


@pytest.fixture(scope="module")
def fresh() -> AbrRecordings:
    others = simulate(SimulationConfig(n_patients=80, preset="balanced", seed=78))
    return others.select(RNG.permutation(len(others))[:N])


def judge(
    task: TaskName, generated: AbrRecordings, recorded: AbrRecordings, test: AbrRecordings
) -> Transfer | None:
    parts = [labelled(part, task) for part in (generated, recorded, recorded, test)]
    return judge_transfer(
        task, NAMES[task], generated=parts[0], recorded=parts[1], read=parts[2], test=parts[3]
    )


@pytest.mark.parametrize("task", NAMES)
def test_a_perfect_generator_teaches_as_much_as_recordings(
    task: TaskName, fresh: AbrRecordings, recorded: AbrRecordings, test_set: AbrRecordings
) -> None:
    found = judge(task, fresh, recorded, test_set)
    assert found is not None
    for one in (found.generated_minus_recorded, found.generated_to_real, found.recorded_to_real):
        assert one is not None
    assert found.generated_minus_recorded.balanced_accuracy.value == pytest.approx(0, abs=0.06)  # type: ignore[union-attr]
    assert found.trivial_to_real.balanced_accuracy == pytest.approx(1 / len(NAMES[task]))
    assert found.generated_to_real.balanced_accuracy.value > found.trivial_to_real.balanced_accuracy + 0.1  # type: ignore[union-attr]
    assert found.read_to_real == found.recorded_to_real
    assert found.classes_not_generated == ()
    assert sum(found.generated_classes.values()) == found.n_generated
    assert (found.generated_to_real.roc_auc is None) == (task == "hearing_class")  # type: ignore[union-attr]


def test_the_difference_is_that_of_the_values(
    fresh: AbrRecordings, recorded: AbrRecordings, test_set: AbrRecordings
) -> None:
    found = judge("wave_v_presence", fresh, recorded, test_set)
    assert found is not None
    for name in ("roc_auc", "balanced_accuracy", "macro_f1"):
        first, second, gap = (
            getattr(one, name)
            for one in (found.generated_to_real, found.recorded_to_real, found.generated_minus_recorded)
        )
        assert gap.value == pytest.approx(first.value - second.value)
        assert gap.low < gap.value < gap.high


def test_signals_that_do_not_fit_their_labels_teach_nothing(
    fresh: AbrRecordings, recorded: AbrRecordings, test_set: AbrRecordings
) -> None:
    mixed = replace(fresh, v_present=RNG.permutation(fresh.v_present))
    found = judge("wave_v_presence", mixed, recorded, test_set)
    assert found is not None
    assert found.generated_minus_recorded is not None
    assert found.generated_minus_recorded.roc_auc is not None
    assert found.generated_minus_recorded.roc_auc.high is not None
    assert found.generated_minus_recorded.roc_auc.high < -0.1
    assert found.recorded_to_generated is not None
    assert found.recorded_to_generated.roc_auc is not None
    assert found.recorded_to_generated.roc_auc.value == pytest.approx(0.5, abs=0.1)


def test_classes_that_were_not_generated_are_named_and_never_answered(
    fresh: AbrRecordings, recorded: AbrRecordings, test_set: AbrRecordings
) -> None:
    total = HEARING_CLASSES.index("total")
    found = judge("hearing_class", fresh.select(fresh.hearing_class != total), recorded, test_set)
    assert found is not None
    assert found.classes_not_generated == ("total",)
    assert found.generated_classes["total"] == 0
    assert found.generated_to_real is not None
    one = judge("hearing_class", fresh.select(fresh.hearing_class == total), recorded, test_set)
    assert one is not None
    assert one.generated_to_real is None
    assert one.generated_minus_recorded is None
    assert one.recorded_to_real is not None


def test_without_two_classes_in_the_test_there_is_nothing_to_judge(
    fresh: AbrRecordings, recorded: AbrRecordings, test_set: AbrRecordings
) -> None:
    unknown = replace(test_set, hearing_class=np.full(len(test_set), -1))
    assert judge("hearing_class", fresh, recorded, unknown) is None


def test_a_class_that_was_not_fitted_has_probability_0(fresh: AbrRecordings) -> None:
    few = Labelled(fresh, np.where(fresh.v_present, 3, 1), fresh.patient_id)
    found = SimpleClassifier(few.recordings, few.labels, 5).probability(fresh)
    assert (found[:, [0, 2, 4]] == 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_the_conditions_alone_do_not_look_at_the_trace(fresh: AbrRecordings) -> None:
    blind = SimpleClassifier(fresh, fresh.v_present.astype(np.int64), 2, traces=False)
    other = replace(fresh, signal_uv=-fresh.signal_uv)
    np.testing.assert_array_equal(blind.probability(other), blind.probability(fresh))
