"""A trained ABR network with everything that is needed to use it, read from a checkpoint and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from neuroprism.abr.config import AbrConfig
from neuroprism.abr.diffusion import NoiseSchedule
from neuroprism.abr.model import AbrNetwork, build_for
from neuroprism.abr.scaler import CONDITION_NAMES, AbrScaler
from neuroprism.abr.signal_profile import SignalProfile
from neuroprism.core.config import load
from neuroprism.core.errors import ConfigError, DataError, UserError, suggest
from neuroprism.monitor import layout
from neuroprism.monitor.reading import read_run
from neuroprism.train.checkpoint import Checkpoint, load_checkpoint, load_weights
from neuroprism.train.hardware import choose_device

Weights = Literal["selected", "last"]

_SECTIONS = ("project", "data", "model", "diffusion", "loss")
_FILES: dict[Weights, tuple[str, ...]] = {"selected": ("best.pt", "last.pt"), "last": ("last.pt",)}


@dataclass(frozen=True, kw_only=True)
class TrainedAbr:
    """A trained network, and what its numbers mean.

    Attributes
    ----------
    network
        In evaluation mode, with averaged weights where the run kept an average.
    config
        Configuration of the run: project, data, model, diffusion and loss; the sections that only concern
        training are at their defaults.
    scaler
        Standardisation of signals, conditions and targets, fitted on the training split.
    schedule
        Noise levels of the diffusion, on the device of the network.
    path
        The checkpoint file.
    epoch
        Complete epochs behind the weights.
    profile
        Look of the training signals; None in a checkpoint from before it was stored.
    task_state
        Everything that the task stored with the weights.
    run_id, git_revision
        Of the run, None where its `run.json` is not beside the checkpoint.
    config_hash
        SHA-256 of the configuration of the run.
    """

    network: AbrNetwork
    config: AbrConfig
    scaler: AbrScaler
    schedule: NoiseSchedule
    path: Path
    epoch: int
    profile: SignalProfile | None
    task_state: Mapping[str, Any]
    run_id: str | None = None
    git_revision: str | None = None
    config_hash: str = ""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the hearing classes, by index."""
        return self.scaler.class_names

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.schedule.alpha_bar.device

    @property
    def sample_rate_hz(self) -> float:
        """Samples per second of what the network reads and writes."""
        return self.scaler.sample_rate_hz

    @property
    def window_ms(self) -> float:
        """Length of a recording."""
        return self.scaler.window_ms

    @property
    def n_times(self) -> int:
        """Samples of a recording."""
        return self.scaler.n_times

    @property
    def time_ms(self) -> NDArray[np.float64]:
        """Time of each sample after stimulus onset, (T,)."""
        after_ms = np.arange(self.n_times, dtype=np.float64) * (1000.0 / self.sample_rate_hz)
        return after_ms + np.float64(self.scaler.start_ms)

    @property
    def condition_ranges(self) -> dict[str, tuple[float, float]]:
        """Smallest and largest training value of age, level, rate and Fmp, in their own units.

        A condition that no training recording has is absent.
        """
        return {
            name: self.scaler.condition_range[name]
            for name in CONDITION_NAMES
            if self.scaler.condition_known(name)
        }

    @property
    def signal_range_uv(self) -> tuple[float, float]:
        """Range that holds all but 0.02 % of the training samples, in `scaler.signal_unit`."""
        low, high = self.scaler.clip
        return float(self.scaler.signal.invert(low)), float(self.scaler.signal.invert(high))

    @property
    def has_null_condition(self) -> bool:
        """Whether training dropped the condition now and then, which guidance needs."""
        return self.config.diffusion.cfg.drop_prob > 0

    @property
    def provenance(self) -> dict[str, str | int]:
        """Where the weights come from, for files that are written with them."""
        known: dict[str, str | int | None] = {
            "checkpoint": str(self.path),
            "epoch": self.epoch,
            "run_id": self.run_id,
            "git_revision": self.git_revision,
            "config_hash": self.config_hash or None,
        }
        return {name: value for name, value in known.items() if value is not None}


def load_trained(
    path: Path | str, *, device: str | torch.device = "cpu", weights: Weights = "selected"
) -> TrainedAbr:
    """Read a trained ABR network.

    Parameters
    ----------
    path
        A checkpoint file, or a run folder.
    device
        Where to put the network.
    weights
        Of a run folder: the selected epoch (`best.pt`, or `last.pt` where there is none) or the last one.

    Raises
    ------
    UserError
        With one line, if the file is missing, damaged, of another version or of another task, or lacks the
        scaler or the class names.
    """
    file = checkpoint_file(Path(path), weights)
    checkpoint = load_checkpoint(file)
    _check_task(file, checkpoint)
    scaler = _scaler(file, checkpoint)
    config = _config(file, checkpoint)
    place = _place(str(device))
    # Fresh weights are drawn before the stored ones replace them; the caller's random state stays.
    with torch.random.fork_rng(devices=[]):
        network = build_for(config.model, scaler)
    try:
        load_weights(network, checkpoint)
    except DataError as error:
        raise DataError(f"{file}: {error}") from None
    run_id, git_revision = _origin(file)
    return TrainedAbr(
        network=cast("AbrNetwork", network.to(place).eval().requires_grad_(requires_grad=False)),
        config=config,
        scaler=scaler,
        schedule=NoiseSchedule(config.diffusion).to(place),
        path=file,
        epoch=checkpoint.epoch,
        profile=_profile(file, checkpoint),
        task_state=checkpoint.task_state,
        run_id=run_id,
        git_revision=git_revision,
        config_hash=checkpoint.config_hash,
    )


def _place(device: str) -> str:
    if device.partition(":")[0] not in ("auto", "cpu", "cuda", "mps"):
        raise UserError(f"device must be auto, cpu, cuda, cuda:1 or mps, not '{device}'")
    return choose_device(device)


def checkpoint_file(path: Path, weights: Weights = "selected") -> Path:
    """Return the checkpoint that a file name or a run folder stands for.

    Raises
    ------
    DataError
        If there is none; the line says what lies there instead.
    """
    try:
        if path.is_file():
            return path
        if path.is_dir():
            return _in_folder(path, weights)
        beside = [found.name for found in path.parent.iterdir()] if path.parent.is_dir() else []
    except OSError as error:
        raise DataError(f"cannot read checkpoint {path}: {error.strerror or error}") from None
    raise DataError(f"checkpoint {path} does not exist{_near(path.name, beside)}")


def _in_folder(folder: Path, weights: Weights) -> Path:
    if weights not in _FILES:
        raise UserError(f"weights must be selected or last, not '{weights}'")
    for place in (folder / "checkpoints", folder):
        for name in _FILES[weights]:
            if (place / name).is_file():
                return place / name
    wanted = " or ".join(_FILES[weights])
    raise DataError(f"{folder} holds no checkpoint: no {wanted} in it or in its folder 'checkpoints'")


def _near(name: str, present: list[str]) -> str:
    """Return the nearest name, but no list of everything that lies around."""
    said = suggest(name, present)
    return said if said.startswith("; did you mean") else ""


def _check_task(path: Path, checkpoint: Checkpoint) -> None:
    """Refuse a network of another kind by what it was trained on."""
    other = checkpoint.task_state.get("dataset")
    if other is not None:
        raise DataError(f"checkpoint {path} is of the EEG dataset {other}, not of an ABR network")
    absent = {"model", "diffusion"} - checkpoint.config.keys()
    if absent and "scaler" not in checkpoint.task_state:
        raise DataError(f"checkpoint {path} is of the task '{checkpoint.task}', not of an ABR network")
    if absent:
        raise DataError(f"checkpoint {path} lacks the section '{min(absent)}' of its configuration")


def _scaler(path: Path, checkpoint: Checkpoint) -> AbrScaler:
    state = checkpoint.task_state
    for name, meaning in (
        ("scaler", "the scaler of its signals and targets"),
        ("class_names", "class names"),
    ):
        if not state.get(name):
            raise DataError(f"checkpoint {path} lacks {meaning}: its numbers would have no meaning")
    try:
        scaler = AbrScaler.from_state_dict(state["scaler"])
    except (DataError, AttributeError, ValueError) as error:
        raise DataError(f"checkpoint {path}: {error}") from None
    if list(scaler.class_names) != list(state["class_names"]):
        raise DataError(f"checkpoint {path} is damaged: its scaler has other classes than its class names")
    return scaler


def _profile(path: Path, checkpoint: Checkpoint) -> SignalProfile | None:
    state = checkpoint.task_state.get("signal_profile")
    if state is None:
        return None
    try:
        return SignalProfile.from_state_dict(state)
    except DataError as error:
        raise DataError(f"checkpoint {path}: {error}") from None


def _config(path: Path, checkpoint: Checkpoint) -> AbrConfig:
    # How a network was watched and where it was trained does not matter for its use, and such keys change.
    parts = [
        (name, checkpoint.config[name], f"checkpoint {path}")
        for name in _SECTIONS
        if name in checkpoint.config
    ]
    try:
        return load(AbrConfig, overrides=parts)
    except ConfigError as error:
        raise DataError(f"{error}; another version of neuroprism wrote it") from None


def _origin(path: Path) -> tuple[str | None, str | None]:
    """Return id and git revision of the run whose folder the checkpoint is in."""
    folder = path.resolve().parent.parent
    if not (folder / layout.RUN).is_file():
        return None, None
    try:
        card = read_run(folder)
    except UserError:
        # A checkpoint is complete without the card beside it.
        return None, None
    return card.id, card.git_revision
