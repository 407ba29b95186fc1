"""What a training step tells of its gradients beyond their norm, now and then.

On a step that is looked at: the gradients of single loss components and the size
of the update beside that of the weights. In between: one reference per step, to
the norm that was computed anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from neuroprism.train.component_gradients import cosines
from neuroprism.train.task import LossTerms

_MOST_NORMS_KEPT = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class GradientLook:
    """Gradients of one optimizer step, as plain numbers.

    Attributes
    ----------
    norms, cosines, clip_rate, update_ratios
        As in `neuroprism.core.records.Gradients`.
    """

    norms: dict[str, float] = field(default_factory=dict)
    cosines: dict[str, float] = field(default_factory=dict)
    clip_rate: float | None = None
    update_ratios: dict[str, float] = field(default_factory=dict)


class GradientWatch:
    """Looks at the gradients of the first step and of every n-th one; waits for the device only there.

    Parameters
    ----------
    model
        The plain network.
    every_n_steps
        Optimizer steps between two looks, 0 for never.
    gradient_clip
        Largest gradient norm, None where gradients are not clipped.
    takes_apart
        Whether the gradients of single components are wanted too.

    Attributes
    ----------
    due
        Whether the present step is looked at.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        every_n_steps: int,
        gradient_clip: float | None,
        takes_apart: bool = False,
    ) -> None:
        self.takes_apart = takes_apart
        self._every = every_n_steps
        self._clip = gradient_clip
        self._modules = _by_module(model)
        self._norms: list[Tensor] = []
        self._n_clipped = self._n_seen = 0
        self._taken: dict[str, Any] = {}
        self._before: list[Tensor] = []
        self.due = False

    def begin_step(self, step: int) -> None:
        """Decide whether optimizer step `step`, from 1, is looked at."""
        self.due = self._every > 0 and (step == 1 or step % self._every == 0)
        self._taken = {}

    def see_components(self, gram: Tensor, terms: LossTerms) -> None:
        """Take in the inner products between the gradients of the components of a batch."""
        names = [name for name in terms.values if float(terms.counts.get(name, 1)) > 0]
        places = {name: k for k, name in enumerate(terms.values)}
        on_host = gram.detach().double().cpu() if gram.device.type != "mps" else gram.cpu().double()
        angles = cosines(on_host)
        pairs = [(a, b) for n, a in enumerate(names) for b in names[n + 1 :]]
        found = {f"{a}|{b}": float(angles[places[a], places[b]]) for a, b in pairs}
        self._taken = {
            "norms": {name: max(0.0, float(on_host[places[name], places[name]])) ** 0.5 for name in names},
            "cosines": {pair: value for pair, value in found.items() if value == value},
        }

    @torch.no_grad()
    def before_update(self, grad_norm: Tensor) -> None:
        """Remember the norm before clipping, and the weights where the step is looked at."""
        if not self._every:
            return
        self._norms.append(grad_norm)
        if len(self._norms) >= _MOST_NORMS_KEPT:
            self._count()
        if self.due:
            self._before = [p.detach().clone() for group in self._modules.values() for p in group]

    def after_update(self) -> GradientLook | None:
        """Return what was seen, None on a step that is not looked at."""
        if not self.due:
            return None
        self._count()
        rate = self._n_clipped / self._n_seen if self._clip is not None and self._n_seen else None
        self._n_clipped = self._n_seen = 0
        before, self._before = self._before, []
        return GradientLook(**self._taken, clip_rate=rate, update_ratios=self._ratios(before))

    def state_dict(self) -> dict[str, int]:
        """Return how many steps were clipped since the last look."""
        self._count()
        return {"n_clipped": self._n_clipped, "n_seen": self._n_seen}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue from `state_dict`."""
        self._n_clipped, self._n_seen = state["n_clipped"], state["n_seen"]

    def _count(self) -> None:
        norms, self._norms = self._norms, []
        if norms and self._clip is not None:
            self._n_clipped += int((torch.stack(norms) > self._clip).sum())
        self._n_seen += len(norms)

    @torch.no_grad()
    def _ratios(self, before: list[Tensor]) -> dict[str, float]:
        """Return norm of the change over norm of the weights; a module whose weights are all 0 has none."""
        names, sums, start = list(self._modules), [], 0
        for group in self._modules.values():
            old = before[start : start + len(group)]
            start += len(group)
            change = torch._foreach_sub([p.detach() for p in group], old)
            sums.append(torch.stack([_norm(change), _norm(old)]))
        table = torch.stack(sums).tolist() if sums else []
        return {name: moved / size for name, (moved, size) in zip(names, table, strict=True) if size > 0}


def _by_module(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Return the trainable parameters by the part of the network that lies directly in it."""
    found: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            found.setdefault(name.partition(".")[0], []).append(parameter)
    return found


def _norm(tensors: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    whole: Tensor = torch.linalg.vector_norm(torch.stack([n.float() for n in torch._foreach_norm(tensors)]))
    return whole
