"""The total of a step: components times weights, fixed ones or those of a balancing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

import torch
from torch import Tensor

from neuroprism.core.errors import ConfigError
from neuroprism.train.component_gradients import shared_gram
from neuroprism.train.gradient_watch import GradientWatch
from neuroprism.train.state import TrainingState
from neuroprism.train.task import LossTerms

Combine = Callable[[Mapping[str, Tensor]], Tensor]


class WeightedLoss:
    """Adds up the components of every batch, and takes their gradients apart where somebody wants that.

    Where the task has a balancing, it chooses the weights at the first batch of a
    step and learns from the step afterwards. One extra backward pass per component
    is made on the graph of the first batch where the balancing or `watch` asks for
    it; under several processes the one for `watch` alone is made by the first.

    The gradients of several processes are averaged, but their shares of a batch
    have different numbers of valid elements. Each share therefore counts by its
    elements, so that the step is that of one process with the whole batch.

    Parameters
    ----------
    state
        Task, network and processes.
    combine
        Turns loss components into the differentiable total where there is no balancing.
    watch
        Is shown the gradients of single components.

    Raises
    ------
    ConfigError
        If the balancing needs gradients that a compiled network does not give.
    """

    def __init__(self, state: TrainingState, combine: Combine, watch: GradientWatch) -> None:
        self._state = state
        self._combine = combine
        self._watch = watch
        self._balancing = state.task.balancing
        self._weights: Tensor | None = None
        self._gram: Tensor | None = None
        if self._balancing is not None:
            self._balancing.follow(state.fabric.device)
            if self._balancing.needs_gradients and state.is_compiled:
                raise ConfigError(
                    f"loss.balancing={self._balancing.name} takes gradients apart, which a compiled network "
                    "does not allow; set hardware.compile_model to false"
                )

    def shares(self, terms: LossTerms, n_samples: int) -> Mapping[str, Tensor]:
        """Return the components of a batch so that the mean over all processes is that of the whole batch."""
        processes = self._state.processes
        if processes.alone:
            return terms.values
        counts = [torch.as_tensor(terms.counts.get(name, n_samples)) for name in terms.values]
        n_valid = torch.stack([count.to(self._state.fabric.device).float() for count in counts])
        mean = processes.mean(n_valid)
        factors = torch.where(mean > 0, n_valid / mean.clamp(min=1 / processes.n), 1.0)
        return {name: value * f for (name, value), f in zip(terms.values.items(), factors, strict=True)}

    def total(self, values: Mapping[str, Tensor], terms: LossTerms, *, first: bool) -> Tensor:
        """Return the differentiable total of `shares`; `first` begins a step, at whose `terms` is looked."""
        if first:
            self._begin(terms)
        if self._weights is None:
            return self._combine(values)
        weighted = [w * values[name] for name, w in zip(self._names, self._weights, strict=True)]
        # Added in order, as the record adds them.
        total: Tensor = reduce(torch.add, weighted)
        return total

    def weights(self) -> dict[str, Tensor] | None:
        """Return the weights of the present step, None where the components have their own."""
        return None if self._weights is None else dict(zip(self._names, self._weights, strict=True))

    def learn(
        self,
        losses: Mapping[str, Tensor | float],
        counts: Mapping[str, Tensor | float],
        *,
        refused: bool | Tensor,
    ) -> None:
        """Let the balancing learn from the step that was just made."""
        if self._balancing is None:
            return
        device = self._state.fabric.device

        def together(numbers: Mapping[str, Tensor | float]) -> Tensor:
            parts = [torch.as_tensor(numbers.get(name, 1.0)).to(device).float() for name in self._names]
            return self._state.processes.mean(torch.stack(parts))

        if isinstance(refused, Tensor):
            applied = refused <= 0
        else:
            applied = torch.full((), fill_value=not refused, device=device)
        self._balancing.learn(together(losses), together(counts) > 0, self._gram, applied=applied)

    @property
    def _names(self) -> tuple[str, ...]:
        assert self._balancing is not None
        return self._balancing.names

    def _begin(self, terms: LossTerms) -> None:
        """Look at the gradients of the first batch of a step, and choose its weights."""
        balancing, state = self._balancing, self._state
        wanted = self._watch.due and self._watch.takes_apart
        self._gram = None
        if wanted or (balancing is not None and balancing.needs_gradients):
            self._gram = shared_gram(terms.values, state.parameters, scale=state.loss_scale())
            if wanted:
                self._watch.see_components(self._gram, terms)
        if balancing is not None:
            weights = balancing.weights(self._ordered(terms))
            # Each process has its own share of the batch, and random numbers of its own.
            self._weights = state.processes.mean(weights) if balancing.needs_gradients else weights

    def _ordered(self, terms: LossTerms) -> Tensor | None:
        """Put the inner products in the order of the components, as the mean over all processes."""
        if self._gram is None or self._balancing is None:
            return None
        places = list(terms.values)
        order = torch.tensor([places.index(name) for name in self._names], device=self._gram.device)
        gram = self._gram[order][:, order]
        self._gram = self._state.processes.mean(gram) if self._balancing.needs_gradients else gram
        return self._gram
