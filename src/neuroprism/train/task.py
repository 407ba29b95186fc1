"""What the trainer has to know of a task: its losses and how it is evaluated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from torch import Tensor, nn

from neuroprism.core.records import Component

if TYPE_CHECKING:
    from neuroprism.train.balancing import Balancing

BatchT = TypeVar("BatchT")


@dataclass(frozen=True, kw_only=True, slots=True)
class LossTerms:
    """Raw loss components of one batch.

    Attributes
    ----------
    values
        Scalar per component, in the graph: the mean over its valid elements,
        and exactly 0 with gradient 0 where the batch has none. Every
        component of the task is present.
    counts
        Number of valid elements behind each value, as a number or a scalar
        tensor on any device; a component that is absent here counts every
        sample. Count 0 means "not computed": it is absent from every record.
    """

    values: Mapping[str, Tensor]
    counts: Mapping[str, Tensor | float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Results over a whole split, from pooled predictions.

    Attributes
    ----------
    losses
        Raw mean value per component, without ``total``; what was not computed is absent.
    metrics
        Metrics by name, without the prefix ``val/``; what does not apply is absent.
    """

    losses: dict[str, float]
    metrics: dict[str, float] = field(default_factory=dict)


class Task(ABC, Generic[BatchT]):
    """A model together with its losses, its evaluation and what prediction needs later.

    The trainer owns the loop, the task owns the meaning. `model` as passed to
    the methods is `self.model` prepared for the device, precision and
    compilation; call it, do not keep it. Under mixed precision its outputs
    arrive in float32, so losses are computed in float32.

    Attributes
    ----------
    name
        Name of the task, stored in every checkpoint.
    components
        The terms of the loss with label, weight and baseline.
    model
        The network.
    metric_names
        Names of all metrics that `evaluate` may return. Where they are
        declared, a mistyped `training.early_stopping.monitor` is found before
        training starts, otherwise at the first validation.
    balancing
        What chooses the weights of the components step by step; None where they
        have their own weights throughout.
    """

    name: str
    components: tuple[Component, ...]
    model: nn.Module
    metric_names: tuple[str, ...] = ()
    balancing: Balancing | None = None

    @abstractmethod
    def losses(self, model: nn.Module, batch: BatchT) -> LossTerms:
        """Return the loss components of a training batch; must not wait for the device."""

    @abstractmethod
    def evaluate(
        self, model: nn.Module, batches: Iterable[BatchT], *, compute_metrics: bool = True
    ) -> Evaluation:
        """Return losses and metrics over all of `batches`.

        Called in evaluation mode without gradients. Equal weights must give
        equal results: noise is fixed, and metrics come from pooled predictions.

        Parameters
        ----------
        model
            The prepared network.
        batches
            Batches on the device, each once.
        compute_metrics
            If False, only losses are wanted.
        """

    @abstractmethod
    def n_samples(self, batch: BatchT) -> int:
        """Return the number of samples in `batch`, known without waiting for the device."""

    def sample_ids(self, batch: BatchT) -> Any | None:
        """Return what names the samples of `batch` in an alert, e.g. a list of ids, or None."""
        return None

    def checkpoint_state(self) -> dict[str, Any]:
        """Return what must travel with the weights: scaler, class names, sizes; plain values only."""
        return {}
