"""The best that any method can do on simulated recordings, given their noise.

The observer knows the densities from which the simulator draws and sees what a
network sees: the averaged trace, level, rate and, where known, age. It is also
told the residual noise of each recording, which networks are not: so it bounds
every method from above. Its answers are those with the smallest expected error.
"""

from __future__ import annotations

import functools
import zlib

import numpy as np
from tqdm import tqdm

from neuroprism.abr.answers import Answers, Kind
from neuroprism.abr.columns import HEARING_CLASSES, WAVE_V
from neuroprism.abr.ears import PREVALENCE, Preset
from neuroprism.abr.ideal_observer.noise_model import Fit, Heard, NoiseModel
from neuroprism.abr.ideal_observer.posterior import Distribution, Posterior, Responding, combine
from neuroprism.abr.ideal_observer.prior import GRID_DB, N_SCORES, WAVE_SCORES, Known, Prior, grid_index
from neuroprism.abr.ideal_observer.tempering import temper
from neuroprism.abr.physiology import Floats
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.simulate import SAMPLE_RATE_HZ, SIMULATOR_VERSION
from neuroprism.abr.traces import MEASURED_MS, clean_traces, measure_wave_v
from neuroprism.abr.waves import Waves, waves_of
from neuroprism.core.errors import DataError

N_PARTICLES = 1000
_prior = functools.cache(Prior)


class IdealObserver:
    """Bayes-optimal answers for recordings of this version of the simulator, with alternating clicks.

    Ears without a response have a closed form. Ears of each class that respond
    are sampled by tempered sequential Monte Carlo (`tempering`), with the
    amplitude factor summed out; their evidence weighs the classes.

    Parameters
    ----------
    preset
        Preset of the simulated set.
    n_times
        Samples of its recordings.
    n_particles
        Ears sampled of each class.
    seed
        Equal seeds give equal answers, recording by recording, whatever else is answered with it.

    Examples
    --------
    >>> observer = IdealObserver.of(recordings)  # doctest: +SKIP
    >>> observer.answer(recordings).latency_ms  # doctest: +SKIP
    >>> observer.posteriors(recordings)[0].latency_ms.quantile([0.05, 0.95])  # doctest: +SKIP
    """

    name = "ideal observer"
    kind: Kind = "ceiling"

    def __init__(
        self, preset: Preset, n_times: int, *, n_particles: int = N_PARTICLES, seed: int = 0
    ) -> None:
        self.preset, self.n_times, self.n_particles, self.seed = preset, n_times, n_particles, seed
        self._prior = _prior(preset)
        self._noise = NoiseModel(n_times, SAMPLE_RATE_HZ)
        step_ms = np.float64(1000.0 / SAMPLE_RATE_HZ)
        self._long_ms = np.arange(round(MEASURED_MS / step_ms), dtype=np.float64) * step_ms
        self._time_ms = self._long_ms[:n_times]

    @classmethod
    def of(cls, recordings: AbrRecordings, *, n_particles: int = N_PARTICLES, seed: int = 0) -> IdealObserver:
        """Return the observer for a simulated set.

        Raises
        ------
        DataError
            If the set is not simulated by this version, was changed since, lacks residual noise or has
            separate polarities.
        """
        preset = _simulated_preset(recordings)
        return cls(preset, recordings.n_times, n_particles=n_particles, seed=seed)

    def answer(self, recordings: AbrRecordings, *, progress: bool = False) -> Answers:
        """Return the answers with the smallest expected error for each recording.

        Latency, amplitude and threshold are posterior medians; that of the threshold is
        of ears that respond at some level.

        Parameters
        ----------
        recordings
            Of the preset and the window that the observer was made for.
        progress
            Whether to show a progress bar.

        Raises
        ------
        DataError
            If the recordings are not of that kind.
        """
        found = self.posteriors(recordings, progress=progress)
        probability = np.array([posterior.v_probability for posterior in found])
        return Answers(
            v_score=probability,
            v_present=probability >= 0.5,
            latency_ms=np.array([posterior.latency_ms.median for posterior in found]),
            amplitude_uv=np.array([posterior.amplitude_uv.median for posterior in found]),
            class_probability=np.array([posterior.class_probability for posterior in found]),
            threshold_db_nhl=np.array([posterior.threshold_db_nhl.median for posterior in found]),
        )

    def posteriors(self, recordings: AbrRecordings, *, progress: bool = False) -> list[Posterior]:
        """Return the posterior of each recording; see `answer`."""
        self._check(recordings)
        rows = tqdm(range(len(recordings)), desc="ideal observer", unit="recording", disable=not progress)
        return [self._posterior(recordings, row) for row in rows]

    def _check(self, recordings: AbrRecordings) -> None:
        preset = _simulated_preset(recordings)
        if preset != self.preset:
            raise DataError(f"the observer knows the preset '{self.preset}', the recordings are '{preset}'")
        if recordings.n_times != self.n_times:
            raise DataError(
                f"the observer knows recordings of {self.n_times} samples, not of {recordings.n_times}"
            )

    def _posterior(self, recordings: AbrRecordings, row: int) -> Posterior:
        known = Known(
            level_db_nhl=float(recordings.level_db_nhl[row]),
            rate_hz=float(recordings.rate_hz[row]),
            age_years=float(recordings.age_years[row]),
        )
        signal = recordings.signal_uv[row]
        heard = self._noise.hear(signal, float(recordings.residual_noise_uv[row]), known.level_db_nhl)
        # From the trace itself, so that an answer does not depend on the set around it.
        rng = np.random.default_rng([self.seed, zlib.crc32(np.ascontiguousarray(signal).tobytes())])
        prior = self._prior.responds(known.level_db_nhl)
        responding = [self._respond(int(label), known, heard, rng) for label in np.flatnonzero(prior > 0.0)]
        level = grid_index(known.level_db_nhl)
        above = Distribution(GRID_DB[level + 1 :], self._prior.responding[level].sum(axis=0)[level + 1 :])
        return combine(responding, prior, self._prior.unheard(known.level_db_nhl), above)

    def _respond(self, label: int, known: Known, heard: Heard, rng: np.random.Generator) -> Responding:
        """Sample responding ears of one class."""

        def log_likelihood(scores: Floats) -> Floats:
            fit = self._noise.fit(heard, clean_traces(self._waves(scores, label, known), self._time_ms))
            by_factor = self._by_factor(fit, label)
            top = by_factor.max(axis=1)
            total: Floats = top + np.log(np.exp(by_factor - top[:, None]).sum(axis=1))
            return total

        sampled = temper(log_likelihood, self.n_particles, N_SCORES, WAVE_SCORES, rng)
        waves = self._waves(sampled.scores, label, known)
        trace = clean_traces(waves, self._long_ms)
        latency_ms, amplitude_uv = measure_wave_v(trace, self._long_ms, waves.latency_ms[:, WAVE_V])
        by_factor = self._by_factor(self._noise.fit(heard, trace[:, : len(self._time_ms)]), label)
        # The largest of log weights with Gumbel noise is a draw by the weights.
        drawn = (by_factor + rng.gumbel(size=by_factor.shape)).argmax(axis=1)
        ears = self._prior.ears(sampled.scores, label, known)
        return Responding(
            label=label,
            log_evidence=sampled.log_evidence,
            latency_ms=latency_ms,
            amplitude_uv=amplitude_uv * self._prior.factors[label, drawn],
            threshold_db_nhl=ears.threshold_db_nhl,
            inside=(latency_ms >= self._time_ms[0]) & (latency_ms <= self._time_ms[-1]),
        )

    def _waves(self, scores: Floats, label: int, known: Known) -> Waves:
        n = len(scores)
        ears = self._prior.ears(scores, label, known)
        return waves_of(ears, np.arange(n), np.full(n, known.level_db_nhl), np.zeros(n))

    def _by_factor(self, fit: Fit, label: int) -> Floats:
        """Return log prior plus log likelihood ratio of each amplitude factor, (P, F)."""
        factor = self._prior.factors[label]
        result: Floats = fit.b[:, None] * factor - 0.5 * fit.c[:, None] * factor**2 + self._prior.log_share
        return result


def _simulated_preset(recordings: AbrRecordings) -> Preset:
    """Return the preset of a set that the observer can know; raise `DataError` for any other."""
    version = recordings.provenance.get("simulator_version")
    preset = recordings.provenance.get("preset")
    if recordings.threshold_provenance != "simulated" or preset not in PREVALENCE:
        raise DataError("the ideal observer knows simulated recordings only")
    if version != SIMULATOR_VERSION or recordings.class_names != HEARING_CLASSES:
        raise DataError(
            f"the ideal observer knows version {SIMULATOR_VERSION} of the simulator, not version {version}"
        )
    on_grid = np.isin(recordings.level_db_nhl, GRID_DB) & np.isfinite(recordings.rate_hz)
    as_drawn = (recordings.signal_unit, recordings.sample_rate_hz, recordings.start_ms)
    if as_drawn != ("uV", SAMPLE_RATE_HZ, 0.0) or not on_grid.all():
        raise DataError(
            "the ideal observer knows recordings as they were simulated: unit, sampling rate, start, "
            "levels and rates must not be changed"
        )
    if not (recordings.polarity == "alternating").all():
        raise DataError("the ideal observer knows alternating clicks only, not separate polarities")
    if not (np.isfinite(recordings.residual_noise_uv) & (recordings.residual_noise_uv > 0)).all():
        raise DataError("residual_noise_uv: the ideal observer needs it for every recording")
    return preset
