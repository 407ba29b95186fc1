"""Opening the record of a run: a new one, one in place of another, or one that goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuroprism.core.files import writing_into
from neuroprism.core.records import Component, EpochRecord, Note, Resumed, RunRecord, Started
from neuroprism.monitor.claim import Claim
from neuroprism.monitor.folder import prepare
from neuroprism.monitor.reading import read_events
from neuroprism.monitor.resume import ResumePoint, last_step, rewind
from neuroprism.monitor.run_card import run_card, save_config


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """What stands at the beginning of an attempt.

    Attributes
    ----------
    run
        Identity card of the run.
    epochs
        Epochs of the attempts before that still count.
    events
        What to tell the sinks first.
    claim
        The right to write into the folder, to be given back at the end.
    """

    run: RunRecord
    epochs: tuple[EpochRecord, ...]
    events: tuple[Started | Resumed | Note, ...]
    claim: Claim


def open_run(
    folder: Path,
    components: tuple[Component, ...],
    *,
    name: str,
    task: str,
    n_epochs: int | None,
    steps_per_epoch: int | None,
    config: Mapping[str, Any] | None,
    seed: int | None,
    resume: ResumePoint | None,
    overwrite: bool,
) -> Opening:
    """Bring the folder of a run into the state in which sinks can append to it.

    Raises
    ------
    RunError
        If the folder cannot be used; nothing was written then.
    """
    claim = prepare(folder, resume=resume is not None, overwrite=overwrite)
    try:
        run = run_card(
            folder,
            components,
            name=name,
            task=task,
            n_epochs=n_epochs,
            steps_per_epoch=steps_per_epoch,
            config=config,
            seed=seed,
            resumed=resume is not None,
        )
        with writing_into(folder):
            if resume is not None:
                return _go_on(folder, run, config, resume, claim)
            save_config(folder, config, attempt=1)
    except BaseException:
        claim.give_back()
        raise
    started = Started(run_id=run.id, components=components)
    return Opening(run=run, epochs=(), events=(started,), claim=claim)


def _go_on(
    folder: Path, run: RunRecord, config: Mapping[str, Any] | None, resume: ResumePoint, claim: Claim
) -> Opening:
    """Bring the record back to the checkpoint."""
    n_superseded = rewind(folder, resume, attempt=len(run.attempts))
    epochs = tuple(event for event in read_events(folder) if isinstance(event, EpochRecord))
    changes = save_config(folder, config, attempt=len(run.attempts))
    resumed = Resumed(step=resume.step, epoch=resume.epoch + 1, superseded_steps=n_superseded)
    notes = _warnings(changes, n_missing=resume.step - last_step(folder))
    return Opening(run=run, epochs=epochs, events=(resumed, *notes), claim=claim)


def _warnings(changes: str, *, n_missing: int) -> list[Note]:
    messages = []
    if changes:
        messages.append(f"configuration differs from the attempt before: {changes}")
    if n_missing > 0:
        messages.append(f"the record lacks the last {n_missing} steps before the checkpoint")
    return [Note(message=message, severity="warning") for message in messages]
