"""Where the recordings of a run come from: a file, or the simulator through a cache."""

from __future__ import annotations

from pathlib import Path

from neuroprism.abr.config import DataConfig
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.simulate import SIMULATOR_VERSION, SimulationConfig, simulate
from neuroprism.abr.store import load_recordings, save_recordings
from neuroprism.core.config import config_hash, to_dict


def obtain(config: DataConfig) -> tuple[AbrRecordings, str]:
    """Return the recordings that a configuration names, and one line that says where they come from.

    Without `dataset_path` they are simulated once into `cache_dir`.

    Raises
    ------
    DataError
        If the file is missing, damaged or does not fit.
    """
    if config.dataset_path is not None:
        recordings = load_recordings(config.dataset_path)
        return recordings, f"Data: {_size(recordings)} from {config.dataset_path}"
    path = cache_path(config.cache_dir, config.simulation)
    if path.exists():
        recordings = load_recordings(path)
        return recordings, f"Data: {_size(recordings)}, simulated earlier, from {path}"
    recordings = simulate(config.simulation)
    save_recordings(path, recordings)
    return recordings, f"Data: no data.dataset_path, so {_size(recordings)} were simulated into {path}"


def cache_path(folder: Path, config: SimulationConfig) -> Path:
    """Return where a simulated set is kept; its name depends on everything that shapes it."""
    digest = config_hash({"version": SIMULATOR_VERSION, **to_dict(config)})
    return folder / f"abr-{config.preset}-{config.n_patients}-{digest[:12]}.npz"


def _size(recordings: AbrRecordings) -> str:
    return f"{len(recordings):,} recordings of {recordings.n_patients:,} patients"


def describe_masks(recordings: AbrRecordings) -> str:
    """Return one line with everything that is masked, so that nothing is left out in silence."""
    names = {
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
