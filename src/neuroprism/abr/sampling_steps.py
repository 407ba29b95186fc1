"""Single steps of the reverse diffusion: ancestral (DDPM) and implicit (DDIM).

``a(t)`` is the cumulative product of ``1 - beta``; the step -1 stands for the clean signal, ``a(-1) = 1``.
Letters: B batch, T samples.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuroprism.abr.diffusion import NoiseSchedule, PredictionType
from neuroprism.core.errors import UserError

CLEAN = -1
"""The step after the last one."""


def trailing_steps(n_levels: int, n_steps: int) -> list[int]:
    """Return which noise levels to visit, from the highest down, ``t_k = round(T - k T / S) - 1``.

    With this spacing the first step starts from pure noise (Lin et al. 2024, arXiv 2305.08891).

    Raises
    ------
    UserError
        If there are more steps than noise levels, or none.
    """
    if not 1 <= n_steps <= n_levels:
        raise UserError(
            f"steps must be between 1 and {n_levels}, the noise levels of the model, not {n_steps}"
        )
    places = n_levels - np.arange(n_steps) * (n_levels / n_steps)
    return [int(place) - 1 for place in np.round(places)]


class ReverseProcess:
    """Takes signals from one noise level to a lower one.

    Parameters
    ----------
    schedule
        Noise levels, and what the network predicts.
    prediction_type
        Overrides what the network predicts.
    clip
        Lowest and highest value that a clean signal may have, standardised; None: no limit. The noise
        that belongs to a clipped signal is computed anew from it.
    """

    def __init__(
        self,
        schedule: NoiseSchedule,
        *,
        prediction_type: PredictionType | None = None,
        clip: tuple[float, float] | None = None,
    ) -> None:
        self.schedule = schedule
        self.prediction_type = prediction_type or schedule.prediction_type
        self.clip = clip
        exact = schedule.alpha_bar.detach().cpu().double()
        # The last entry answers to the index -1.
        self._alpha_bar = torch.cat((exact, torch.ones(1, dtype=torch.float64))).numpy()

    def split(self, prediction: Tensor, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the clean signal and the noise that a prediction implies, shape (B, 1, T) each."""
        kind = self.prediction_type
        x0 = self.schedule.to_x0(prediction, x_t, t, kind)
        if self.clip is None:
            return x0, self.schedule.to_noise(prediction, x_t, t, kind)
        x0 = x0.clamp(*self.clip)
        return x0, self.schedule.to_noise(x0, x_t, t, "x0")

    def ddim(
        self,
        prediction: Tensor,
        x_t: Tensor,
        t: Tensor,
        lower: Tensor,
        *,
        eta: float = 0.0,
        fresh: Tensor | None = None,
    ) -> Tensor:
        """Take one implicit step (Song, Meng and Ermon 2021, arXiv 2010.02502, equations 12 and 16).

        ``s^2 = eta^2 (1 - a_p) / (1 - a_t) (1 - a_t / a_p)`` and
        ``x_p = sqrt(a_p) x_0 + sqrt(1 - a_p - s^2) e + s n``.

        Parameters
        ----------
        prediction
            Output of the network, shape (B, 1, T).
        x_t
            Signals at their noise level, shape (B, 1, T).
        t, lower
            Noise levels before and after, shape (B,); `CLEAN` for the clean signal.
        eta
            Share of the ancestral noise: 0 is deterministic, 1 has the variance of DDPM.
        fresh
            Standard normal noise n, shape (B, 1, T); needed where `eta` is above 0.
        """
        x0, noise = self.split(prediction, x_t, t)
        a_t, a_p = self._levels(t), self._levels(lower)
        # Where nothing is left to do (t = lower) the ratio is 1 and nothing is added.
        variance = eta**2 * (1 - a_p) / np.maximum(1 - a_t, 1e-20) * (1 - a_t / a_p)
        direction = np.sqrt(np.maximum(1 - a_p - variance, 0.0))
        result = _like(np.sqrt(a_p), x_t) * x0 + _like(direction, x_t) * noise
        return result if fresh is None else result + _like(np.sqrt(variance), x_t) * fresh

    def ddpm(self, prediction: Tensor, x_t: Tensor, t: Tensor, lower: Tensor, *, fresh: Tensor) -> Tensor:
        """Take one ancestral step with the posterior variance (Ho et al. 2020, arXiv 2006.11239, eq. 7).

        With ``b = 1 - a_t / a_p`` the mean is ``(sqrt(a_p) b x_0 + sqrt(1 - b) (1 - a_p) x_t) / (1 - a_t)``
        and the variance ``(1 - a_p) / (1 - a_t) b``, 0 in the last step. Arguments as in `ddim`.
        """
        x0, _ = self.split(prediction, x_t, t)
        a_t, a_p = self._levels(t), self._levels(lower)
        beta = 1 - a_t / a_p
        of_x0 = np.sqrt(a_p) * beta / (1 - a_t)
        of_x_t = np.sqrt(a_t / a_p) * (1 - a_p) / (1 - a_t)
        deviation = np.sqrt((1 - a_p) / (1 - a_t) * beta)
        return _like(of_x0, x_t) * x0 + _like(of_x_t, x_t) * x_t + _like(deviation, x_t) * fresh

    def _levels(self, t: Tensor) -> NDArray[np.float64]:
        levels: NDArray[np.float64] = self._alpha_bar[t.cpu().numpy()]
        return levels


def _like(coefficient: NDArray[np.float64], x: Tensor) -> Tensor:
    """Return one factor per signal, with the type, device and number of axes of `x`."""
    factor = torch.from_numpy(coefficient).to(device=x.device, dtype=x.dtype)
    return factor.view(-1, *[1] * (x.ndim - 1))
