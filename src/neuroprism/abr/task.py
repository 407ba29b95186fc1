"""The ABR task: one network, a diffusion of the signal and five questions about the recording."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from neuroprism.abr.conditions_kept import KEPT, keep_conditions
from neuroprism.abr.config import AbrConfig
from neuroprism.abr.dataset import AbrBatch
from neuroprism.abr.diffusion import NoiseSchedule, fixed_noise
from neuroprism.abr.loss_baselines import baselines, fit_reference
from neuroprism.abr.losses import COMPONENTS, AbrLosses
from neuroprism.abr.model import build_for
from neuroprism.abr.model_config import ArchitectureConfig
from neuroprism.abr.pooled import PooledResults
from neuroprism.abr.scaler import AbrScaler
from neuroprism.abr.signal_profile import SignalProfile
from neuroprism.core.errors import ConfigError
from neuroprism.core.records import Component
from neuroprism.train.balancing import build_balancing
from neuroprism.train.task import Evaluation, LossTerms, Task

N_NOISE_LEVELS = 10
"""Noise levels of the validation grid; the loss of each is recorded."""

# Only the detail of wave V: the progress bar leaves these out first on a narrow terminal.
_DETAIL = ("peak_latency", "peak_amplitude")
_VALIDATION_SEED = 20_100_215


class AbrTask(Task[AbrBatch]):
    """Losses and evaluation of a multi-task ABR network.

    Parameters
    ----------
    config
        The whole configuration.
    scaler
        Fitted on the training split; travels in every checkpoint.
    training, validation
        All recordings of the two splits; their labels give class weights,
        trivial predictors and what those cost on validation data.

    Raises
    ------
    ConfigError
        If the recordings are too short for the network.
    UserError
        If a package that `loss.balancing` needs is not installed.
    """

    def __init__(
        self, config: AbrConfig, scaler: AbrScaler, *, training: AbrBatch, validation: AbrBatch
    ) -> None:
        _check_length(config.model.architecture, scaler.n_times)
        n_classes = len(scaler.class_names)
        self.name = config.project.name
        self.scaler = scaler
        self.drop_prob = config.diffusion.cfg.drop_prob
        self.conditions = keep_conditions(training, scaler)
        self.profile = SignalProfile.fit(training.observed.squeeze(1).numpy(), scaler.sample_rate_hz)
        self.schedule = NoiseSchedule(config.diffusion)
        self.reference = fit_reference(config.loss, training, n_classes=n_classes)
        self.objective = AbrLosses(config.loss, self.reference)
        self.model = build_for(config.model, scaler)
        trivial = baselines(
            training,
            validation,
            config.loss,
            n_classes=n_classes,
            signal=self._zero_signal_loss(validation.target),
        )
        weights = config.loss.weights.by_component()
        self.components = tuple(
            Component(
                name=name,
                label=label,
                weight=weights[name],
                baseline=trivial.get(name),
                detail=name in _DETAIL,
            )
            for name, label in COMPONENTS.items()
        )
        self.balancing = build_balancing(config.loss.balancing, self.components)
        self.metric_names = PooledResults.metric_names(self._grid().tolist())

    def losses(self, model: nn.Module, batch: AbrBatch) -> LossTerms:
        """Return the six components at random noise levels, the condition dropped now and then."""
        self._follow(batch.observed.device)
        n = len(batch)
        t = self.schedule.random_steps(n)
        drop = torch.rand(n, device=batch.observed.device) < self.drop_prob
        noise = torch.randn_like(batch.target)
        terms, _, _ = self._terms(model, batch, t, noise, self.schedule.loss_weights(t), drop)
        return terms

    def evaluate(
        self, model: nn.Module, batches: Iterable[AbrBatch], *, compute_metrics: bool = True
    ) -> Evaluation:
        """Return losses at fixed noise levels with fixed noise, and metrics of pooled predictions."""
        results = PooledResults(self.scaler)
        grid = self._grid()
        for number, batch in enumerate(batches):
            self._follow(batch.observed.device)
            t = self._fixed_levels(len(batch), number).to(batch.observed.device)
            noise = fixed_noise(tuple(batch.target.shape), _VALIDATION_SEED + number)
            weights = self.schedule.loss_weights(t, grid=grid.to(t.device))
            terms, errors, prediction = self._terms(model, batch, t, noise.to(t.device), weights, None)
            results.add_losses(terms, t, errors)
            if compute_metrics:
                results.add_predictions(prediction, batch)
        return Evaluation(losses=results.losses(), metrics=results.metrics() if compute_metrics else {})

    def n_samples(self, batch: AbrBatch) -> int:
        """Return the number of recordings."""
        return len(batch)

    def sample_ids(self, batch: AbrBatch) -> Tensor:
        """Return the numbers of the recordings in their set."""
        return batch.index

    def checkpoint_state(self) -> dict[str, Any]:
        """Return scaler, class names, look of the signals and constants of the loss.

        All of it is what prediction needs with the weights.
        """
        return {
            "scaler": self.scaler.state_dict(),
            "class_names": list(self.scaler.class_names),
            "signal_profile": self.profile.state_dict(),
            KEPT: self.conditions,
            "loss_reference": self.reference.to_dict(),
        }

    def _terms(
        self,
        model: nn.Module,
        batch: AbrBatch,
        t: Tensor,
        noise: Tensor,
        weights: Tensor,
        drop: Tensor | None,
    ) -> tuple[LossTerms, Tensor, Any]:
        """Return the components, the unweighted error of each signal (B,), and the task predictions."""
        x_t = self.schedule.add_noise(batch.target, noise, t)
        prediction = model(x_t, t, batch.observed, batch.condition, batch.condition_missing, drop)
        target = self.schedule.target(batch.target, noise, t)
        terms = self.objective(prediction.signal, target, weights, prediction.tasks, batch)
        errors = (prediction.signal.detach().float() - target).square().mean(dim=(1, 2))
        return LossTerms(values=terms.values, counts=terms.counts), errors, prediction.tasks

    def _grid(self) -> Tensor:
        return self.schedule.validation_grid(min(N_NOISE_LEVELS, self.schedule.n_steps))

    def _fixed_levels(self, n: int, batch_number: int) -> Tensor:
        """Return a step of the grid for each recording: the same ones in every validation, equally often."""
        generator = torch.Generator().manual_seed(_VALIDATION_SEED - 1 - batch_number)
        grid = self._grid().cpu()
        return grid[torch.randperm(n, generator=generator) % len(grid)]

    def _zero_signal_loss(self, target: Tensor) -> float:
        """Return what predicting zero costs on validation signals, in expectation over the noise."""
        grid = self._grid()
        weights = self.schedule.loss_weights(grid, grid=grid)
        mean_square = float(target.double().square().mean())
        return float(self.schedule.zero_predictor_loss(grid, weights, mean_square).mean())

    def _follow(self, device: torch.device) -> None:
        """Move the constants to the device of the data, once."""
        if self.schedule.alpha_bar.device != device:
            self.schedule.to(device)
            self.objective.to(device)


def _check_length(sizes: ArchitectureConfig, n_times: int) -> None:
    if n_times < sizes.samples_per_step:
        raise ConfigError(
            f"model.architecture: {sizes.n_levels} levels with patch_size {sizes.patch_size} need recordings "
            f"of {sizes.samples_per_step} samples or more, not {n_times}"
        )
