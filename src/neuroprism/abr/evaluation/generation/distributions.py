"""Whether generated traces are distributed like recorded ones: waves, size and spectrum.

Three sets are measured alike: generated traces, all test recordings, and as many training recordings as there
are generated ones, under the same conditions. The distance of the latter to the test recordings is the
baseline: it is what a perfect generator would reach, since two samples are never the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from neuroprism.abr.evaluation.generation.generated_set import GeneratedSet
from neuroprism.abr.evaluation.generation.two_samples import (
    Floats,
    Patients,
    Sample,
    everyone,
    mean_shift,
    sd_ratio,
    wasserstein,
)
from neuroprism.abr.evaluation.generation.wave_measures import (
    Reading,
    UsualIntervals,
    measure,
)
from neuroprism.abr.evaluation.score import Score, difference, score
from neuroprism.abr.groups import Rows, by_level
from neuroprism.abr.recordings import AbrRecordings

LEAST = 20
"""Measured traces from which a distribution is compared."""

ALL = "all"

_BY_LEVEL = ("wave_v_latency_ms", "wave_v_amplitude_uv", "wave_v_amplitude_sd")


class Distribution(msgspec.Struct, kw_only=True, frozen=True):
    """How one quantity of generated traces differs from that of test recordings.

    Attributes
    ----------
    quantity
        What is measured, with its unit as ending; all numbers but shares, ratios and counts are in this unit.
    group
        `all`, or a range of levels.
    n_generated, n_test, n_training
        Traces on which the quantity could be measured.
    generated_mean, test_mean, test_sd
        Of the quantity.
    distance
        Wasserstein-1 distance of generated and test traces. Its interval lies high, since resampling adds to
        the distance that chance makes; see `excess`.
    distance_over_sd
        The same in SDs of the test traces; None where they do not vary.
    training_distance
        Baseline: distance of training recordings under the same conditions to the test recordings; None where
        too few of them could be measured.
    excess
        `distance` minus `training_distance`, resampled together; 0 for a perfect generator. What chance adds
        to both distances is about the same: this is the interval to look at.
    mean_shift
        Mean of the generated traces minus that of the test recordings; baseline 0.
    sd_ratio
        SD of the generated traces over that of the test recordings; baseline 1.
    """

    quantity: str
    group: str
    n_generated: int
    n_test: int
    n_training: int
    generated_mean: float
    test_mean: float
    test_sd: float
    distance: Score
    distance_over_sd: float | None
    training_distance: Score | None
    excess: Score | None
    mean_shift: Score | None
    sd_ratio: Score | None


@dataclass(frozen=True)
class _Measured:
    """Quantities of a set, (N,) each, whose they are, and which recordings are in each group."""

    values: dict[str, Floats]
    patients: Patients
    groups: Rows

    def sample(self, quantity: str, group: str) -> Sample:
        rows = self.groups.get(group, np.zeros(len(self.patients), dtype=np.bool_))
        return Sample.of_finite(self.values[quantity][rows], self.patients[rows])


def judge_distributions(
    made: GeneratedSet,
    training: AbrRecordings,
    compared: AbrRecordings,
    test: AbrRecordings,
    readings: tuple[Reading, Reading, Reading],
) -> tuple[Distribution, ...]:
    """Compare the distributions, of all traces and by level.

    Parameters
    ----------
    made
        Generated traces.
    training
        All training recordings, on which the usual intervals between waves are fitted.
    compared
        A training recording under the condition of each generated trace, (n,).
    test
        Test recordings.
    readings
        Where the network reads a wave V in the traces of `made`, `compared` and `test`: all three are read
        alike, since labels of recordings follow other rules.
    """
    intervals = UsualIntervals.fit(training)
    least = float(training.signal_uv.std(dtype=np.float64))
    bands = by_level(test)
    # Generated traces and their training recordings stand where the recordings that lent the conditions do.
    lent = {title: rows[made.rows] for title, rows in bands.items()}
    generated, real, other = (
        _Measured(
            measure(recordings, reading, intervals, least_wave=least), owners, _with_all(groups, owners)
        )
        for recordings, reading, owners, groups in (
            (made.recordings, readings[0], made.patients, lent),
            (test, readings[2], test.patient_id, bands),
            (compared, readings[1], made.patients, lent),
        )
    )
    asked = [(name, ALL) for name in generated.values]
    asked += [(name, band) for name in _BY_LEVEL if name in generated.values for band in bands]
    found = [_compare(generated, real, other, name, group) for name, group in asked]
    return tuple(one for one in found if one is not None)


def _with_all(groups: Rows, patients: Patients) -> Rows:
    return {ALL: np.ones(len(patients), dtype=np.bool_), **groups}


def _compare(
    generated: _Measured, test: _Measured, training: _Measured, quantity: str, group: str
) -> Distribution | None:
    made, real, other = (part.sample(quantity, group) for part in (generated, test, training))
    if min(len(made), len(real)) < LEAST:
        return None
    pair = everyone(made, real)
    distance = score(wasserstein(made, real, pair), pair)
    if distance is None:
        return None
    baseline = excess = None
    if len(other) >= LEAST:
        three = everyone(made, other, real)
        of_training = wasserstein(other, real, three)
        baseline = score(of_training, three)
        excess = difference(wasserstein(made, real, three), of_training, three)
    sd = float(real.values.std())
    return Distribution(
        quantity=quantity,
        group=group,
        n_generated=len(made),
        n_test=len(real),
        n_training=len(other),
        generated_mean=float(made.values.mean()),
        test_mean=float(real.values.mean()),
        test_sd=sd,
        distance=distance,
        distance_over_sd=distance.value / sd if sd > 0 else None,
        training_distance=baseline,
        excess=excess,
        mean_shift=score(mean_shift(made, real, pair), pair),
        sd_ratio=score(sd_ratio(made, real, pair), pair),
    )
