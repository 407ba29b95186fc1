"""Problems with synthetic biosignals: evoked responses, rhythms, spectrograms, heart beats, spike counts."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from frozen_training import Data, Losses, Problem, entropy, mlp, split, spread
from torch import Tensor, nn


class Heads(nn.Module):
    """A trunk and one head for every task."""

    def __init__(self, trunk: nn.Module, width: int, sizes: dict[str, int]) -> None:
        super().__init__()
        self.trunk = trunk
        self.heads = nn.ModuleDict({name: nn.Linear(width, size) for name, size in sizes.items()})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the output of every head."""
        hidden = self.trunk(x)
        return {name: head(hidden) for name, head in self.heads.items()}


def _conv_trunk(length: int, width: int, channels: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(channels, 8, 7, stride=2, padding=3),
        nn.ReLU(),
        nn.Conv1d(8, 12, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(12 * (length // 4), width),
        nn.ReLU(),
    )


def evoked(seed: int, *, n: int = 512, noise: float = 0.3, n_val: int = 128) -> Problem:
    """Brainstem responses of five waves: clean waveform, latency of the last wave, presence and level."""
    time = torch.linspace(0, 10, 64)
    level = torch.rand(n + n_val)
    threshold = 0.2 + 0.3 * torch.rand(n + n_val)
    present = (level > threshold).float()
    shift = 1.4 * (1 - level) + 0.15 * torch.randn(n + n_val)
    peaks = torch.tensor([1.6, 2.7, 3.7, 5.0, 5.7])
    heights = torch.tensor([0.5, 0.25, 0.6, 0.4, 1.0])
    bumps = torch.exp(-0.5 * ((time - peaks[None, :, None] - shift[:, None, None]) / 0.3) ** 2)
    clean = (bumps * heights[None, :, None]).sum(1) * (present * (0.4 + level))[:, None]
    x = clean + noise * torch.randn_like(clean)
    data, val = split(
        {"x": x, "clean": clean, "latency": shift - 0.7, "present": present, "level": level * 2 - 1}, n_val
    )
    net = Heads(_conv_trunk(64, 32), 32, {"waveform": 64, "latency": 1, "present": 1, "level": 1})
    base = {
        "waveform": 0.5 * spread(data["clean"]),
        "present": entropy(data["present"]),
        "level": spread(data["level"]),
    }
    return Problem(net=net, data=data, val=val, losses=_evoked_losses, baselines=base, trunk=("trunk",))


def _evoked_losses(net: nn.Module, batch: Data) -> Losses:
    out = net(batch["x"][:, None])
    seen = batch["present"]
    misses = (out["latency"][:, 0] - batch["latency"]).abs() * seen
    return {
        "waveform": F.huber_loss(out["waveform"], batch["clean"]),
        "latency": misses.sum() / seen.sum().clamp_min(1),
        "present": F.binary_cross_entropy_with_logits(out["present"][:, 0], batch["present"]),
        "level": F.mse_loss(out["level"][:, 0], batch["level"]),
    }


def rhythm(seed: int, *, n: int = 512, n_val: int = 128, noise: float = 0.8) -> Problem:
    """Two channels of noise with a rhythm: class (focal loss), log power, phase, artefact (rare)."""
    time = torch.arange(80) / 80.0
    kind = torch.randint(0, 3, (n + n_val,))
    frequency = torch.tensor([4.0, 10.0, 20.0])[kind] + 0.5 * torch.randn(n + n_val)
    power = torch.randn(n + n_val)
    phase = 2 * math.pi * torch.rand(n + n_val)
    wave = (
        torch.sin(2 * math.pi * frequency[:, None] * time + phase[:, None]) * torch.exp(0.4 * power)[:, None]
    )
    pink = torch.cumsum(torch.randn(n + n_val, 2, 80), -1)
    pink = (pink - pink.mean(-1, keepdim=True)) / 8
    x = torch.stack([wave, 0.5 * wave], 1) + noise * pink + 0.2 * torch.randn(n + n_val, 2, 80)
    artefact = (torch.rand(n + n_val) < 0.1).float()
    x[:, 1, 30:36] += 4 * artefact[:, None]
    data, val = split(
        {
            "x": x,
            "kind": kind,
            "power": power,
            "phase": torch.stack([phase.sin(), phase.cos()], 1),
            "artefact": artefact,
        },
        n_val,
    )
    net = Heads(_conv_trunk(80, 32, 2), 32, {"kind": 3, "power": 1, "phase": 2, "artefact": 1})
    base = {"power": 0.798, "phase": spread(data["phase"]), "artefact": entropy(artefact[:n])}
    return Problem(net=net, data=data, val=val, losses=_rhythm_losses, baselines=base, trunk=("trunk",))


def _rhythm_losses(net: nn.Module, batch: Data) -> Losses:
    out = net(batch["x"])
    cross = F.cross_entropy(out["kind"], batch["kind"], reduction="none")
    return {
        "kind": ((1 - torch.exp(-cross)) ** 2 * cross).mean(),
        "power": F.l1_loss(out["power"][:, 0], batch["power"]),
        "phase": F.mse_loss(out["phase"], batch["phase"]),
        "artefact": F.binary_cross_entropy_with_logits(out["artefact"][:, 0], batch["artefact"]),
    }


def spectra(seed: int, *, n: int = 384, n_val: int = 96, hidden: int = 48) -> Problem:
    """Masked spectrograms of chirps: squared error, log magnitude, spectral convergence."""
    time = torch.arange(128) / 128.0
    start, slope = 4 + 30 * torch.rand(n + n_val, 1), 20 * torch.randn(n + n_val, 1)
    x = torch.sin(2 * math.pi * (start * time + slope * time**2)) + 0.1 * torch.randn(n + n_val, 128)
    windows = x.unfold(1, 32, 16) * torch.hann_window(32)
    magnitude = torch.fft.rfft(windows, dim=-1).abs()[..., 1:16] / 4
    masked = magnitude.clone()
    holes = torch.randint(0, 7, (n + n_val,))
    masked[torch.arange(n + n_val), holes] = 0
    data, val = split({"x": masked.flatten(1), "full": magnitude.flatten(1)}, n_val)
    net = mlp(105, hidden, hidden, 105, act=nn.GELU)
    mean = data["full"].mean(0)
    base = {"squared": spread(data["full"])}
    base["convergence"] = float(((data["full"] - mean).norm(dim=1) / data["full"].norm(dim=1)).mean())
    return Problem(net=net, data=data, val=val, losses=_spectra_losses, baselines=base)


def _spectra_losses(net: nn.Module, batch: Data) -> Losses:
    out, full = F.softplus(net(batch["x"])), batch["full"]
    return {
        "squared": F.mse_loss(out, full),
        "log": F.l1_loss((out + 0.05).log(), (full + 0.05).log()),
        "convergence": ((out - full).norm(dim=1) / full.norm(dim=1)).mean(),
    }


class Denoiser(nn.Module):
    """Predicts the noise in a noisy beat from the beat and the noise level."""

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.net = mlp(length + 2, width, width, length, act=nn.SiLU)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the predicted noise."""
        return self.net(torch.cat([x, t[:, None], (t * math.pi / 2).cos()[:, None]], 1))


def beats(seed: int, *, n: int = 512, n_val: int = 128, width: int = 64) -> Problem:
    """Diffusion on heart beats, the loss apart for little and for much noise."""
    time = torch.linspace(0, 1, 32)
    centre = 0.5 + 0.05 * torch.randn(n + n_val, 1)
    sharp = torch.exp(-0.5 * ((time - centre) / 0.03) ** 2) * (2 + 0.3 * torch.randn(n + n_val, 1))
    slow = torch.exp(-0.5 * ((time - centre - 0.25) / 0.08) ** 2) * (0.8 + 0.2 * torch.randn(n + n_val, 1))
    data, val = split({"x": sharp + slow - 0.3}, n_val)
    return Problem(
        net=Denoiser(32, width),
        data=data,
        val=val,
        losses=_beat_losses,
        baselines={"little_noise": 1.0, "much_noise": 1.0},
    )


def _beat_losses(net: nn.Module, batch: Data) -> Losses:
    x = batch["x"]
    t = torch.rand(len(x))
    noise = torch.randn_like(x)
    angle = (t * math.pi / 2)[:, None]
    error = (net(angle.cos() * x + angle.sin() * noise, t) - noise).square().mean(1)
    little = t < 0.5
    return {
        "little_noise": (error * little).sum() / little.sum().clamp_min(1),
        "much_noise": (error * ~little).sum() / (~little).sum().clamp_min(1),
    }


def spikes(seed: int, *, n: int = 800, n_val: int = 200, gain: float = 0.8) -> Problem:
    """Spike counts of six neurons that share three latent inputs: Poisson likelihood without constant."""
    x = torch.randn(n + n_val, 10)
    rate = (gain * x @ (torch.randn(10, 6) / math.sqrt(10)) + 0.8).exp()
    data, val = split({"x": x, "count": torch.poisson(rate)}, n_val)
    mean = data["count"].mean(0)
    base = {"count": float((mean - mean * mean.log()).mean())}
    return Problem(net=mlp(10, 24, 6, act=nn.Tanh), data=data, val=val, losses=_spike_losses, baselines=base)


def _spike_losses(net: nn.Module, batch: Data) -> Losses:
    return {"count": F.poisson_nll_loss(net(batch["x"]), batch["count"])}


def montage(seed: int, *, n: int = 640, n_val: int = 160) -> Problem:
    """Six tasks on one recording of eight channels: amplitude, age, stage, arousal, spindle density, side."""
    sources = torch.randn(n + n_val, 6)
    x = torch.tanh(sources @ torch.randn(6, 24) / 2) + 0.1 * torch.randn(n + n_val, 24)
    s = sources
    data, val = split(
        {
            "x": x,
            "amplitude": s[:, 0] + 0.3 * s[:, 1].square(),
            "age": s[:, 2] - s[:, 3] + 0.3 * torch.randn(n + n_val),
            "stage": (torch.stack([s[:, 0], s[:, 3], s[:, 4]], 1) + 0.2 * torch.randn(n + n_val, 3)).argmax(
                1
            ),
            "arousal": (s[:, 5] + 0.3 * torch.randn(n + n_val) > 0).float(),
            "density": torch.poisson((0.5 * s[:, 1]).exp()),
            "side": s[:, 4].sign() * (s[:, 4].abs() > 0.05),
        },
        n_val,
    )
    sizes = {"amplitude": 1, "age": 1, "stage": 3, "arousal": 1, "density": 1, "side": 1}
    mean = data["density"].mean()
    base = {
        "age": spread(data["age"]),
        "stage": entropy(data["stage"]),
        "arousal": entropy(data["arousal"]),
        "density": float(mean - mean * mean.log()),
    }
    trunk = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU())
    net = Heads(trunk, 48, sizes)
    return Problem(net=net, data=data, val=val, losses=_montage_losses, baselines=base, trunk=("trunk",))


def _montage_losses(net: nn.Module, batch: Data) -> Losses:
    out = net(batch["x"])
    return {
        "amplitude": F.smooth_l1_loss(out["amplitude"][:, 0], batch["amplitude"]),
        "age": F.mse_loss(out["age"][:, 0], batch["age"]),
        "stage": F.cross_entropy(out["stage"], batch["stage"]),
        "arousal": F.binary_cross_entropy_with_logits(out["arousal"][:, 0], batch["arousal"]),
        "density": F.poisson_nll_loss(out["density"][:, 0], batch["density"]),
        "side": (1 - out["side"][:, 0] * batch["side"]).clamp_min(0).mean(),
    }
