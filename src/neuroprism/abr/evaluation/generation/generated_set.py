"""Generated recordings that are matched in condition to recorded ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.conditions import Conditions
from neuroprism.abr.generation import Generated, generate, labelled
from neuroprism.abr.noise import averaged_noise
from neuroprism.abr.predictions import AbrPredictions
from neuroprism.abr.predictor import AbrPredictor
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.sampling import SamplerSettings
from neuroprism.abr.scaler import CONDITION_NAMES
from neuroprism.abr.trained import TrainedAbr
from neuroprism.core.errors import DataError, UserError


@dataclass(frozen=True, kw_only=True)
class GenerationSettings:
    """What is generated to be judged.

    Attributes
    ----------
    n
        Number of recordings, 2 or more.
    sampler
        How they are drawn.
    seed
        Of the choice of conditions, of the signals and of the recordings that they are compared with.
    """

    n: int = 512
    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n < 2:
            raise UserError(f"two or more recordings are needed to judge a generator, not {self.n}")


@dataclass(frozen=True, kw_only=True)
class GeneratedSet:
    """Generated recordings and the test recordings that lent their conditions.

    Attributes
    ----------
    recordings
        (n,), labelled with what the network reads from the signals.
    predictions
        What the network reads from the signals.
    rows
        Place in the test set of the recording whose condition each one has, (n,).
    patients
        Patient of that recording, (n,): who is drawn with the patient in a resample.
    """

    recordings: AbrRecordings
    predictions: AbrPredictions
    rows: NDArray[np.int64]
    patients: NDArray[np.str_]


def generate_like(
    trained: TrainedAbr, test: AbrRecordings, settings: GenerationSettings, *, progress: bool
) -> GeneratedSet:
    """Generate a recording under the condition of each of `settings.n` test recordings.

    They are drawn without replacement as long as there are enough; after that each is used again, with other
    noise. A network that learned responses without noise generates such; noise as strong as that of
    the test recording is added to them, and `clean_uv` holds the response.

    Raises
    ------
    DataError
        If the test recordings have another shape than the network's, or none has a level in dB nHL or,
        where noise is to be added, a residual noise.
    """
    _check_shape(trained, test)
    needs_noise = trained.config.data.signal_target == "clean"
    known = np.isfinite(test.level_db_nhl)
    if needs_noise:
        known &= np.isfinite(test.residual_noise_uv)
    usable = np.flatnonzero(known)
    if not len(usable):
        what = "levels in dB nHL" + " and residual noise" * needs_noise
        raise DataError(f"generation needs {what}, which no test recording has")
    order = np.random.default_rng([settings.seed, 1]).permutation(usable)
    rows = np.resize(order, settings.n)
    made = generate(
        trained, _conditions(trained, test, rows), settings.sampler, seed=settings.seed, progress=progress
    )
    if needs_noise:
        made = _with_noise(trained, made, test.residual_noise_uv[rows], seed=settings.seed)
    return GeneratedSet(
        recordings=made.recordings,
        predictions=made.predictions,
        rows=rows,
        patients=test.patient_id[rows],
    )


def _with_noise(
    trained: TrainedAbr, made: Generated, noise_uv: NDArray[np.float32], *, seed: int
) -> Generated:
    """Return generated responses as recordings, read anew by the network."""
    clean = made.recordings.signal_uv
    rng = np.random.default_rng([seed, 4])
    noise = averaged_noise(len(clean), clean.shape[1], trained.sample_rate_hz, rng)
    recordings = replace(
        made.recordings,
        signal_uv=clean + noise_uv[:, None] * noise,
        clean_uv=clean,
        residual_noise_uv=noise_uv,
    )
    predictions = AbrPredictor(trained).predict(recordings)
    return Generated(
        labelled(trained, recordings, predictions, made.recordings.provenance), predictions, made.redrawn
    )


def _conditions(trained: TrainedAbr, test: AbrRecordings, rows: NDArray[np.int64]) -> Conditions:
    """Return the conditions of test recordings; what the network does not read counts as not known."""
    read = {name for name in CONDITION_NAMES if trained.scaler.condition_known(name)}
    if not trained.config.model.use_fmp:
        read.discard("fmp")
    # The level stands in the recordings whether or not it is read.
    read.add("level_db_nhl")
    return {
        name: getattr(test, name)[rows].astype(np.float64) if name in read else np.full(len(rows), np.nan)
        for name in CONDITION_NAMES
    }


def _check_shape(trained: TrainedAbr, test: AbrRecordings) -> None:
    given = (test.n_times, test.sample_rate_hz, test.start_ms, test.signal_unit)
    scaler = trained.scaler
    wanted = (scaler.n_times, scaler.sample_rate_hz, scaler.start_ms, scaler.signal_unit)
    if given != wanted:
        raise DataError(
            "generated and recorded traces cannot be compared: samples, rate in Hz, start in ms and unit "
            f"are {wanted} and {given}"
        )
