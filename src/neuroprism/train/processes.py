"""Processes that train together: what they tell each other, and how they end together.

Gradients are averaged by DistributedDataParallel. Everything else that the
processes must know of each other goes through a group of its own on the host,
where one of them may wait for as long as another evaluates.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch import distributed as dist

from neuroprism.core.errors import NeuroprismError, TrainingError, TrainingStopped, UserError
from neuroprism.core.launch import read_launch
from neuroprism.train.config import HardwareConfig
from neuroprism.train.hardware import build_fabric
from neuroprism.train.interrupt import Terminated

T = TypeVar("T")

# The first process may evaluate for long; one that died is noticed by its closed connection.
_PATIENCE = timedelta(days=7)
_SIGNS_OF_LOST_CONTACT = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer")


class AgreedInterrupt(KeyboardInterrupt):
    """Ctrl-C or SIGTERM that every process knows of and obeys at the same point.

    Parameters
    ----------
    terminated
        Whether it was SIGTERM.
    """

    def __init__(self, *, terminated: bool = False) -> None:
        super().__init__()
        self.terminated = terminated


class Processes:
    """The processes of a run, seen from one of them.

    Every method but `alone` and `first` must be called by all of them, in the
    same order. With a single process nothing is sent.

    Parameters
    ----------
    rank
        Number of this process from 0.
    n
        Number of processes; above 1 the default group of `torch.distributed` exists.
    """

    def __init__(self, *, rank: int = 0, n: int = 1) -> None:
        self.rank = rank
        self.n = n
        self._group: Any = dist.new_group(backend="gloo", timeout=_PATIENCE) if n > 1 else None

    @property
    def alone(self) -> bool:
        """Whether there is only this process."""
        return self.n == 1

    @property
    def first(self) -> bool:
        """Whether this process evaluates, keeps the record and writes checkpoints."""
        return self.rank == 0

    def gather(self, value: T) -> list[T]:
        """Return the value of every process, by rank."""
        if self.alone:
            return [value]
        values: list[Any] = [None] * self.n
        dist.all_gather_object(values, value, group=self._group)
        return cast(list[T], values)

    def mean(self, value: Tensor) -> Tensor:
        """Return the mean of a tensor on the device; one NaN makes it NaN for all."""
        if self.alone:
            return value
        shared = value.detach().clone()
        dist.all_reduce(shared)
        return shared / self.n

    def from_first(self, function: Callable[[], T]) -> T:
        """Call `function` in the first process; return its result, or end, in all of them."""
        result: T | None = None
        with self.agreeing():
            if self.first:
                result = function()
        return cast(T, self.gather(result)[0])

    def wait(self) -> None:
        """Return when all have come here, or when one has gone."""
        if not self.alone:
            with contextlib.suppress(RuntimeError):
                self.gather(None)

    @contextmanager
    def agreeing(self) -> Iterator[None]:
        """Leave the body in all processes alike: where it fails in one, it fails in all.

        The body must send nothing to the other processes. An error that this
        project raises on purpose carries in `said_by` the process that tells
        the user.

        Raises
        ------
        UserError, TrainingError
            With the message of the first process that failed, in those that did not.
        AgreedInterrupt
            In all, if Ctrl-C or SIGTERM ended the body of one.
        """
        if self.alone:
            yield
            return
        try:
            yield
        except BaseException as error:
            self._end_together(error)
            raise
        self._end_together(None)

    @contextmanager
    def in_contact(self) -> Iterator[None]:
        """Turn the noise that a process makes whose peer has gone into one line.

        Raises
        ------
        TrainingError
            If another process ended without a word.
        """
        try:
            yield
        except RuntimeError as error:
            if self.alone or not _is_lost_contact(error):
                raise
            raise TrainingError(
                f"process {self.rank} lost contact with another process of the run, which ended first"
            ) from error

    def _end_together(self, error: BaseException | None) -> None:
        ends = self.gather(None if error is None else _End.of(error))
        told = next((end for end in ends if end is not None), None)
        if told is None:
            return
        speaker = ends.index(told)
        if isinstance(error, NeuroprismError):
            error.said_by = speaker
        elif error is None or isinstance(error, KeyboardInterrupt):
            raise told.as_error(speaker) from None


@dataclass(frozen=True, kw_only=True, slots=True)
class _End:
    """Why a process leaves, in a form that can be sent; exceptions cannot all be."""

    kind: str
    message: str

    @classmethod
    def of(cls, error: BaseException) -> _End:
        if isinstance(error, KeyboardInterrupt):
            return cls(kind="terminated" if isinstance(error, Terminated) else "interrupt", message="")
        if isinstance(error, NeuroprismError):
            kinds = (("user", UserError), ("stopped", TrainingStopped), ("training", NeuroprismError))
            return cls(
                kind=next(kind for kind, known in kinds if isinstance(error, known)), message=str(error)
            )
        return cls(kind="failure", message=f"{type(error).__name__}: {error}")

    def as_error(self, speaker: int) -> BaseException:
        if self.kind in ("interrupt", "terminated"):
            return AgreedInterrupt(terminated=self.kind == "terminated")
        message = f"process {speaker} failed: {self.message}" if self.kind == "failure" else self.message
        error = {"user": UserError, "stopped": TrainingStopped}.get(self.kind, TrainingError)(message)
        error.said_by = speaker
        return error


@contextmanager
def process_group(hardware: HardwareConfig) -> Iterator[Processes]:
    """Join the other processes that torchrun started, and leave together with them.

    Without torchrun there is nobody to join. The connection lasts until the
    program ends, so that runs can follow each other. The first process is waited for at
    the end, so that none is killed while it closes its record; only a process
    that fails alone leaves at once, which ends the others.

    Raises
    ------
    ConfigError
        If the processes do not fit the devices.
    """
    launch = read_launch()
    if launch.alone:
        yield Processes()
        return
    fabric = build_fabric(hardware)
    processes = Processes(rank=fabric.global_rank, n=fabric.world_size)
    try:
        yield processes
    except BaseException as error:
        agreed = isinstance(error, AgreedInterrupt) or getattr(error, "said_by", None) is not None
        if not agreed:
            if isinstance(error, NeuroprismError):
                error.said_by = processes.rank
            raise
        processes.wait()
        raise
    processes.wait()


def _is_lost_contact(error: RuntimeError) -> bool:
    return isinstance(error, torch.distributed.DistError) or any(
        sign in str(error) for sign in _SIGNS_OF_LOST_CONTACT
    )
