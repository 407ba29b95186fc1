"""Whether a generator repeats its training recordings.

A copy is much closer to one training recording than to every other one; a recording of a new patient is not.
The distance to the nearest training recording alone does not tell: smooth or small traces are close to many.
The ratio of the distances to the nearest and to the second nearest does: it is near 0 for a copy of one
recording and near 1 for a trace that none resembles more than others. Test recordings, of patients that were
never trained on, say what both are without copying (Meehan, Chaudhuri and Dasgupta 2020, arXiv 2004.05675,
compare the same two distances; Carlini et al. 2023, arXiv 2301.13188, find copies by a distance that is small
relative to those to other training samples).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.evaluation.generation.generated_set import GeneratedSet
from neuroprism.abr.evaluation.generation.neighbours import two_nearest
from neuroprism.abr.evaluation.generation.two_samples import (
    Floats,
    Sample,
    everyone,
    quantile,
    ratio,
    share_below_quantile,
)
from neuroprism.abr.evaluation.score import Score, score
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.metrics import ranking, resampling

TAIL = 0.01
"""Share of test recordings that counts as unusually close: what is expected of generated ones as well."""

SUSPICIOUS_SHARE = 2 * TAIL
"""Recordings count as copied where the interval of their share in the tail lies above this."""

EXACT = 1e-6
"""Distance below which two traces are the same, in SDs of the training signals."""

SILENT_UV = 0.01
"""SD below which a trace without noise holds no response."""

FEWEST = 2
"""Responses in each set from which responses are compared."""

MOST_TEST = 4000
"""Test recordings that are looked at; of more, as many are drawn."""


class Memorisation(msgspec.Struct, kw_only=True, frozen=True):
    """How near generated recordings are to training recordings, beside test recordings.

    Distances are root mean squares over time in SDs of the training signals (`_sd`). `singleness` is the
    distance to the nearest over that to the second nearest, 0 to 1.

    Attributes
    ----------
    n_training, n_generated, n_test
        Recordings.
    exact_copies
        Generated recordings closer than 1e-6 SD to a training recording; baseline 0.
    generated_median_distance_sd, test_median_distance_sd
        To the nearest training recording; the test recordings are the baseline.
    distance_ratio
        The first over the second; 1 without copying, but also below 1 where generated traces are smaller or
        smoother than recorded ones.
    share_in_distance_tail
        Share of generated recordings closer than all but 1 % of the test recordings; baseline 0.01.
    distance_roc_auc
        How well the distance tells generated from test recordings: 0.5 where both are alike; above it the
        generated ones are nearer to the training recordings, below it farther off than new patients are.
    generated_median_singleness, test_median_singleness
        The test recordings are the baseline.
    share_in_singleness_tail
        Share of generated recordings with a singleness below that of all but 1 % of the test recordings;
        baseline 0.01.
    singleness_roc_auc
        As `distance_roc_auc`: above 0.5 the generated ones belong more to a single training recording.
    copying
        Whether there are exact copies, or the interval of `share_in_singleness_tail` lies above 0.02.
    """

    n_training: int
    n_generated: int
    n_test: int
    exact_copies: int
    generated_median_distance_sd: Score | None
    test_median_distance_sd: Score | None
    distance_ratio: Score | None
    share_in_distance_tail: Score | None
    distance_roc_auc: Score | None
    generated_median_singleness: Score | None
    test_median_singleness: Score | None
    share_in_singleness_tail: Score | None
    singleness_roc_auc: Score | None
    copying: bool


def judge_memorisation(
    made: GeneratedSet, training: AbrRecordings, test: AbrRecordings, *, seed: int
) -> Memorisation:
    """Compare the distances of generated and of test recordings to the training recordings.

    Where the network learned responses without noise, those are compared: noise that was added would hide a
    copy.
    """
    if len(test) > MOST_TEST:
        test = test.select(np.random.default_rng([seed, 3]).permutation(len(test))[:MOST_TEST])
    generated, known, fresh = _compared(made.recordings, training, test)
    makers, patients_of_test = made.patients[generated.rows], test.patient_id[fresh.rows]
    sd = float(known.traces.std(dtype=np.float64))
    near = two_nearest(generated.traces, known.traces, sd=sd)
    usual = two_nearest(fresh.traces, known.traces, sd=sd)
    distance = Sample(near[:, 0], makers), Sample(usual[:, 0], patients_of_test)
    single = Sample(_singleness(near), makers), Sample(_singleness(usual), patients_of_test)
    patients = everyone(*distance)
    medians = [quantile(sample, 0.5, patients) for sample in distance]
    share = score(share_below_quantile(*single, TAIL, patients), patients)
    exact = int((near[:, 0] < EXACT).sum())
    return Memorisation(
        n_training=len(known.traces),
        n_generated=len(near),
        n_test=len(usual),
        exact_copies=exact,
        generated_median_distance_sd=_median(distance[0]),
        test_median_distance_sd=_median(distance[1]),
        distance_ratio=score(ratio(*medians), patients),
        share_in_distance_tail=score(share_below_quantile(*distance, TAIL, patients), patients),
        distance_roc_auc=_nearer(*distance),
        generated_median_singleness=_median(single[0]),
        test_median_singleness=_median(single[1]),
        share_in_singleness_tail=share,
        singleness_roc_auc=_nearer(*single),
        copying=exact > 0 or _above(share, SUSPICIOUS_SHARE),
    )


@dataclass(frozen=True)
class _Traces:
    """Traces that are compared, (n, T), and their places among all of their set, (n,)."""

    traces: NDArray[np.float32]
    rows: NDArray[np.int64]


def _compared(*sets: AbrRecordings) -> list[_Traces]:
    """Return the responses of each set where all of them hold some, else the recordings.

    Without a response there is nothing to copy: all silent responses are the same.
    """
    found = []
    for one in sets:
        clean = one.clean_uv
        rows = np.arange(0) if clean is None else np.flatnonzero(clean.std(axis=1) > SILENT_UV)
        if clean is None or len(rows) < FEWEST:
            return [_Traces(each.signal_uv, np.arange(len(each))) for each in sets]
        found.append(_Traces(clean[rows], rows))
    return found


def _singleness(near: Floats) -> Floats:
    """Return nearest over second nearest; 0 for a copy of a recording that the training set holds twice."""
    return np.divide(near[:, 0], near[:, 1], out=np.zeros(len(near)), where=near[:, 1] > 0)


def _median(sample: Sample) -> Score | None:
    return score(quantile(sample, 0.5, sample.patients), sample.patients)


def _nearer(generated: Sample, test: Sample) -> Score | None:
    """Return the area under the ROC curve of telling generated recordings by their smaller values."""
    values = np.concatenate([generated.values, test.values])
    target = np.repeat([1, 0], [len(generated), len(test)])
    patients = everyone(generated, test)
    return score(resampling.of_ranking(ranking.roc_area, -values, target, patients), patients)


def _above(found: Score | None, limit: float) -> bool:
    if found is None:
        return False
    return (found.value if found.low is None else found.low) > limit
