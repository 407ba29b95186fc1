"""Everything that changes while a model trains, and how it is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from neuroprism.core.errors import ConfigError, DataError, TrainingError
from neuroprism.train.checkpoint import Checkpoint, load_model_state
from neuroprism.train.config import TrainingConfig
from neuroprism.train.ema import AveragedWeights
from neuroprism.train.non_finite_guard import NonFiniteGuard
from neuroprism.train.optim import build_optimizer, clip_gradients, load_optimizer_state
from neuroprism.train.plan import batches_behind
from neuroprism.train.processes import Processes
from neuroprism.train.running_statistics import RunningStatistics
from neuroprism.train.schedules import Schedule
from neuroprism.train.seed import depart, random_states, restore_random_states, torch_states
from neuroprism.train.selection import BestEpoch, Criterion
from neuroprism.train.stopping import EarlyStopping
from neuroprism.train.task import Task


class Companion(Protocol):
    """Something that changes while a model trains, beside the model."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return plain values and tensors."""

    def load_state_dict(self, state: Any) -> Any:
        """Continue from `state_dict`, as far as it fits."""


class TrainingState:
    """Model, optimizer, schedule, average, counters: what a checkpoint of training holds.

    Parameters
    ----------
    task
        Brings the model.
    config
        Of training.
    fabric
        Places the model.
    n_batches
        Batches of an epoch that are used.
    batch_size
        Samples of a batch, None where unknown.
    processes
        Those that train this model together; None for this one alone.
    compile_model
        Compiles the model, None to leave it as it is.

    Attributes
    ----------
    network
        The model prepared for device and precision; `model` is the plain one.
    epoch
        Epochs that are complete.
    batch
        Batches used of the epoch that runs.
    step
        Optimizer steps taken, refused ones included.
    in_step
        A step is being made.
    torn
        A step is being applied; the state is that of no point in training.
    is_compiled
        Whether `network` runs compiled.
    companions
        Whatever else a checkpoint has to hold, by name.
    """

    def __init__(
        self,
        task: Task[Any],
        config: TrainingConfig,
        fabric: Fabric,
        *,
        n_batches: int,
        batch_size: int | None = None,
        processes: Processes | None = None,
        compile_model: Callable[[nn.Module], nn.Module] | None = None,
    ) -> None:
        self.task = task
        self.fabric = fabric
        self.n_batches, self.batch_size = n_batches, batch_size
        self.processes = processes or Processes()
        self.model = fabric.to_device(task.model)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self._scaler = getattr(fabric.strategy.precision, "scaler", None)
        self.optimizer = build_optimizer(self.model, config.optimizer, allow_fused=self._scaler is None)
        runnable = compile_model(self.model) if compile_model else self.model
        self.network: nn.Module
        self.network, self._stepper = fabric.setup(runnable, self.optimizer, _reapply_compile=False)
        self.steps_per_epoch = -(-n_batches // config.accumulation_steps)
        criterion = Criterion(config.early_stopping.monitor, config.early_stopping.mode)
        self.schedule = Schedule(
            config.scheduler,
            learning_rate=config.optimizer.learning_rate,
            steps_per_epoch=self.steps_per_epoch,
            epochs=config.epochs,
            maximize=criterion.mode == "max",
        )
        self.average = AveragedWeights(self.model, config.ema_decay) if config.ema_decay else None
        self.best = BestEpoch(criterion)
        self.stopping = EarlyStopping(config.early_stopping)
        self.guard = NonFiniteGuard(self.optimizer, policy=config.on_non_finite, device=fabric.device)
        self._statistics = RunningStatistics(self.model)
        self.epoch = 0
        self.batch = 0
        self.step = 0
        self.in_step = self.torn = False
        self.is_compiled = compile_model is not None
        self.evaluation: dict[str, float] = {}
        self.companions: dict[str, Companion] = {}
        self._torch_states = torch_states()
        self._share_buffers()

    def begin_step(self) -> None:
        """Clear the gradients."""
        self.optimizer.zero_grad(set_to_none=True)
        self._statistics.keep()
        self.in_step = True

    def abandon_step(self) -> None:
        """Give back the memory of a step that could not be made, and what its forward pass changed."""
        if self.in_step:
            self.optimizer.zero_grad(set_to_none=True)
            self._statistics.take_back(refused=True)
            self.in_step = False
        if self.fabric.device.type == "cuda":
            torch.cuda.empty_cache()

    def gradients_kept_back(self, *, until_last: bool) -> AbstractContextManager[Any]:
        """Leave the gradients of a batch that is not the last of its step to this process."""
        if self.processes.alone or not until_last:
            return nullcontext()
        context: AbstractContextManager[Any] = self.fabric.no_backward_sync(self.network)  # type: ignore[arg-type]
        return context

    def check_gradients(self) -> None:
        """Find a parameter that took part in no loss, for which the processes would wait in vain.

        Raises
        ------
        TrainingError
            If there is one and the process is not alone.
        """
        if self.processes.alone or all(p.grad is not None for p in self.parameters):
            return
        names = [n for n, p in self.model.named_parameters() if p.requires_grad and p.grad is None]
        raise TrainingError(
            f"parameter '{names[0]}' got no gradient in step {self.step + 1}; on several processes every "
            "trainable parameter must take part in the loss: freeze it, or train with one process"
        )

    def clip(self, limit: float | None) -> Tensor:
        """Clip the gradients to `limit`; return their norm before."""
        self.fabric.strategy.precision.unscale_gradients(self.optimizer)
        return clip_gradients(self.parameters, limit)

    def loss_scale(self) -> float:
        """Return the factor that keeps gradients from vanishing in 16 bits, 1 where none is needed."""
        return 1.0 if self._scaler is None else float(self._scaler.get_scale())

    def is_overflow(self, total: Tensor, *, refused: bool | Tensor) -> bool:
        """Tell whether only the float16 loss scale, which adapts itself, made the gradients overflow."""
        if self._scaler is None or refused is not True:
            return False
        return bool(torch.isfinite(total)) and self._scaler.get_scale() > 1

    def apply(self, *, refused: bool | Tensor) -> float:
        """Make the optimizer step unless it is refused; count it; return its learning rate."""
        self.torn = True
        lr = self.schedule.apply(self.optimizer, self.step)
        self.step += 1
        self._statistics.take_back(refused=refused)
        if refused is True and self._scaler is None:
            return lr
        # A loss scaler leaves out the bad step itself and lowers its scale.
        self._stepper.step()
        if self.average is not None and refused is not True:
            self.average.update(self.step, applied=1 - refused if isinstance(refused, Tensor) else None)
        return lr

    def mark(self) -> None:
        """Remember the random states as those of a point from which training can continue."""
        self._torch_states = torch_states()
        self.in_step = self.torn = False

    def close_epoch(self) -> None:
        """Count the epoch as complete, and give all processes the buffers of the first one."""
        self._share_buffers()
        self.epoch += 1
        self.batch = 0
        self.mark()

    def _share_buffers(self) -> None:
        """Take over the buffers of the first process, whose batches running statistics follow."""
        stored = self.model.state_dict(keep_vars=True)
        buffers = {name: buffer for name, buffer in self.model.named_buffers() if name in stored}
        if self.processes.alone or not buffers:
            return
        shared = self.processes.from_first(lambda: {name: buffer.cpu() for name, buffer in buffers.items()})
        for name, buffer in buffers.items():
            buffer.copy_(shared[name])

    def checkpoint(self, **more: Any) -> Checkpoint:
        """Return everything as of the last `mark`; `more` are further fields of `Checkpoint`.

        To be called in every process: each adds its random states.
        """
        states = self.processes.gather({**random_states(), **self._torch_states})
        return Checkpoint(
            epoch=self.epoch,
            batch=self.batch,
            step=self.step,
            task=self.task.name,
            model=dict(self.model.state_dict()),
            average=self.average.state_dict() if self.average else None,
            task_state=self.task.checkpoint_state(),
            evaluation=self.evaluation,
            training={
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "stopping": self.stopping.state_dict(),
                "best": self.best.state_dict(),
                "scaler": self._scaler.state_dict() if self._scaler else {},
                "random": states[0],
                "random_of_others": states[1:],
                "n_batches": self.n_batches,
                "batch_size": self.batch_size,
                "companions": {name: one.state_dict() for name, one in self.companions.items()},
            },
            **more,
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from `checkpoint`.

        Raises
        ------
        DataError
            If it belongs to another task or model.
        ConfigError
            If it lies inside an epoch that now has other batches or another number of processes.
        """
        if checkpoint.task != self.task.name:
            raise DataError(f"the checkpoint is of task '{checkpoint.task}', not '{self.task.name}'")
        saved = checkpoint.training
        batch = batches_behind(checkpoint, n_batches=self.n_batches, batch_size=self.batch_size)
        others = saved.get("random_of_others", [])
        if checkpoint.batch and len(others) + 1 != self.processes.n:
            raise ConfigError(
                f"the checkpoint lies inside an epoch of {len(others) + 1} processes; resume with as many, "
                f"not {self.processes.n}"
            )
        load_model_state(self.model, checkpoint.model)
        load_optimizer_state(self.optimizer, saved["optimizer"])
        self._restore_average(checkpoint)
        self.schedule.load_state_dict(saved["schedule"])
        self.stopping.load_state_dict(saved["stopping"])
        self.best.load_state_dict(saved["best"])
        if self._scaler and saved["scaler"]:
            self._scaler.load_state_dict(saved["scaler"])
        for name, state in saved.get("companions", {}).items():
            if name in self.companions:
                self.companions[name].load_state_dict(state)
        self.epoch, self.batch, self.step = checkpoint.epoch, batch, checkpoint.step
        if self.step:
            self.schedule.apply(self.optimizer, self.step - 1)
        self.evaluation = checkpoint.evaluation
        self._restore_random([saved["random"], *others])
        self.mark()

    def _restore_random(self, states: list[dict[str, Any]]) -> None:
        """Draw on where each process was; with another number of them, from states of their own."""
        if len(states) == self.processes.n:
            restore_random_states(states[self.processes.rank])
        else:
            restore_random_states(states[0])
            depart(self.processes.rank)

    def _restore_average(self, checkpoint: Checkpoint) -> None:
        """Continue the average; where the checkpoint has none, it starts at the weights."""
        if self.average is None:
            return
        weights = dict(self.model.named_parameters())
        average = checkpoint.average or {}
        self.average.load_state_dict({name: average.get(name, weight) for name, weight in weights.items()})
