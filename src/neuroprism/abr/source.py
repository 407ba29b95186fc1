"""Where the recordings of a run come from: a file, or the simulator through a cache."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from neuroprism.abr.config import DataConfig
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.simulate import SIMULATOR_VERSION, SimulationConfig, simulate
from neuroprism.abr.store import load_recordings, save_recordings, schema_path
from neuroprism.core.config import config_hash, to_dict
from neuroprism.core.errors import DataError


@dataclass(frozen=True)
class Source:
    """Recordings of a run, and where they come from.

    Attributes
    ----------
    recordings
        The whole set.
    origin
        One line for people.
    unsaved
        Where `keep` writes them; None where they were read from a file.
    """

    recordings: AbrRecordings
    origin: str
    unsaved: Path | None = None

    def keep(self) -> None:
        """Write recordings that were simulated into their cache.

        Raises
        ------
        DataError
            If the folder cannot be written.
        """
        if self.unsaved is not None:
            save_recordings(self.unsaved, self.recordings)


def obtain(config: DataConfig) -> Source:
    """Return the recordings that a configuration names; without `dataset_path` they are simulated.

    Nothing is written: that is left to `Source.keep`, for the time when the
    whole run is known to be possible.

    Raises
    ------
    DataError
        If the file is missing, damaged or does not fit.
    """
    if config.dataset_path is not None:
        recordings = read_file(config.dataset_path)
        return Source(recordings, f"Data: {_size(recordings)} from {config.dataset_path}")
    path = cache_path(config.cache_dir, config.simulation)
    # The schema is written last: a set without it was broken off and is made again.
    if os.path.exists(path) and os.path.exists(schema_path(path)):
        try:
            recordings = load_recordings(path)
        except DataError as error:
            raise DataError(f"{error}; delete it to have it simulated again") from None
        return Source(recordings, f"Data: {_size(recordings)}, simulated earlier, from {path}")
    recordings = simulate(config.simulation)
    origin = f"Data: no data.dataset_path, so {_size(recordings)} were simulated into {path}"
    return Source(recordings, origin, unsaved=path)


def read_file(path: Path) -> AbrRecordings:
    """Read recordings from a file that a user named.

    Raises
    ------
    DataError
        If it is missing, a folder, damaged or does not fit.
    """
    try:
        is_folder = path.is_dir()
    except OSError as error:
        raise DataError(f"cannot read recordings {path}: {error.strerror}") from None
    if is_folder:
        raise DataError(f"cannot read recordings '{path}': it is a folder; name the .npz file in it")
    return load_recordings(path)


def cache_path(folder: Path, config: SimulationConfig) -> Path:
    """Return where a simulated set is kept; its name depends on everything that shapes it."""
    digest = config_hash({"version": SIMULATOR_VERSION, **to_dict(config)})
    return folder / f"abr-{config.preset}-{config.n_patients}-{digest[:12]}.npz"


def _size(recordings: AbrRecordings) -> str:
    return f"{len(recordings):,} recordings of {recordings.n_patients:,} patients"


def describe_masks(recordings: AbrRecordings) -> str:
    """Return one line with everything that is masked, so that nothing is left out in silence."""
    names = {
        "missing_class": "classes not known",
        "missing_level_nhl": "levels not known in dB nHL",
        "missing_rate": "stimulus rates not known",
        "unknown_ear": "ears not known",
        "missing_age": "ages not known",
        "unjudged_v": "wave V not judged",
        "v_outside_window": "wave V outside the window",
        "unmarked_v_latency": "latencies not marked",
        "unmarked_v_amplitude": "amplitudes not marked",
        "missing_threshold": "thresholds not known",
        "censored_threshold": "thresholds beyond the highest level",
    }
    counts = recordings.counts()
    found = [f"{counts[name]:,} {text}" for name, text in names.items() if counts[name]]
    return "Masked or censored: " + (", ".join(found) if found else "nothing")
