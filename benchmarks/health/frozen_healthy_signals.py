"""Healthy runs on synthetic biosignals."""

from __future__ import annotations

from functools import partial

from case import Case
from frozen_signals import beats, evoked, montage, rhythm, spectra, spikes
from frozen_training import Plan, but, healthy, tuned
from schedules import Schedule

EVOKED = Plan(
    weights={"waveform": 10.0, "latency": 1.0, "present": 0.5, "level": 1.0},
    steps=320,
    lr=2e-3,
    optimizer="adamw",
    schedule=Schedule(type="cosine_annealing", warmup_steps=32),
    norms_every=20,
    baselines=True,
)
RHYTHM = Plan(
    weights={"kind": 1.0, "power": 1.0, "phase": 1.0, "artefact": 1.0},
    steps=400,
    lr=2e-3,
    norms_every=25,
    baselines=True,
)
SPECTRA = Plan(weights={"squared": 1.0, "log": 0.5, "convergence": 0.5}, steps=600, lr=1e-3, baselines=True)
BEATS = Plan(
    weights={"little_noise": 0.5, "much_noise": 0.5},
    steps=1200,
    lr=2e-3,
    batch=64,
    optimizer="adamw",
    per_epoch=100,
    baselines=True,
)
SPIKES = Plan(weights={"count": 1.0}, steps=500, lr=0.03, optimizer="sgd", baselines=True)
MONTAGE = Plan(
    weights={"amplitude": 1.0, "age": 0.5, "stage": 1.0, "arousal": 1.0, "density": 1.0, "side": 0.5},
    steps=600,
    lr=2e-3,
    optimizer="adamw",
    norms_every=50,
    baselines=True,
)

CASES: tuple[Case, ...] = (
    healthy("evoked-cosine-with-warm-up", evoked, EVOKED),
    healthy(
        "evoked-small-weights-momentum",
        evoked,
        but(
            EVOKED,
            weights={"waveform": 5.0, "latency": 0.1, "present": 0.2, "level": 0.05},
            optimizer="momentum",
            lr=0.05,
            schedule=None,
        ),
    ),
    healthy("evoked-batches-of-four", evoked, but(EVOKED, batch=4, lr=7e-4, steps=700, schedule=None)),
    healthy(
        "evoked-sixty-steps-bare",
        evoked,
        but(EVOKED, steps=60, validated=False, epochs=False, grad_norm=False, norms_every=0, schedule=None),
    ),
    healthy(
        "evoked-noisy-few-to-validate",
        partial(evoked, noise=0.8, n=1024, n_val=20),
        but(EVOKED, steps=384, schedule=None, lr=1e-3),
    ),
    healthy(
        "rhythm-warm-restarts-momentum",
        rhythm,
        but(
            RHYTHM,
            optimizer="momentum",
            lr=0.03,
            schedule=Schedule(type="cosine_annealing_warm_restarts", period=64, growth=2),
        ),
    ),
    healthy(
        "rhythm-one-cycle",
        partial(rhythm, n=1024),
        but(RHYTHM, optimizer="adamw", lr=6e-3, schedule=Schedule(type="one_cycle")),
    ),
    healthy(
        "rhythm-fine-tuned",
        tuned(partial(rhythm, n=1024), RHYTHM.weights, 250),
        but(RHYTHM, lr=3e-5, steps=320),
    ),
    healthy(
        "rhythm-rmsprop-steps",
        partial(rhythm, n=768),
        but(RHYTHM, optimizer="rmsprop", lr=1e-3, schedule=Schedule(type="step", period=120, gamma=0.3)),
    ),
    healthy("spectra-slow-and-steady", spectra, but(SPECTRA, lr=1.5e-4, steps=1800)),
    healthy(
        "spectra-reduced-on-plateau",
        spectra,
        but(SPECTRA, lr=4e-3, steps=1200, schedule=Schedule(type="reduce_on_plateau", patience=2)),
    ),
    healthy("spectra-one-epoch", partial(spectra, n=4800), but(SPECTRA, steps=150, lr=2e-3, validated=False)),
    healthy("beats-diffusion", beats, BEATS),
    healthy("beats-diffusion-batches-of-four", beats, but(BEATS, batch=4, lr=5e-4, epochs=False)),
    healthy(
        "beats-diffusion-warm-restarts",
        beats,
        but(BEATS, schedule=Schedule(type="cosine_annealing_warm_restarts", period=300, lowest=0.01)),
    ),
    healthy("beats-diffusion-clipped", beats, but(BEATS, lr=4e-3, clip=0.2, optimizer="rmsprop", steps=900)),
    healthy("spikes-poisson-below-zero", spikes, SPIKES),
    healthy(
        "spikes-poisson-heavy-tails-clipped",
        partial(spikes, gain=1.3),
        but(SPIKES, optimizer="momentum", lr=0.01, clip=1.0, steps=800, batch=16, baselines=False),
    ),
    healthy(
        "spikes-poisson-adam-late-epochs",
        partial(spikes, n=2000),
        but(SPIKES, optimizer="adam", lr=2e-3, batch=64, steps=620),
    ),
    healthy("montage-six-tasks", partial(montage, n=1600), MONTAGE),
    healthy(
        "montage-unequal-weights",
        partial(montage, n=1600),
        but(
            MONTAGE,
            weights={
                "amplitude": 2.0,
                "age": 0.1,
                "stage": 1.0,
                "arousal": 0.02,
                "density": 0.3,
                "side": 0.05,
            },
        ),
    ),
    healthy(
        "montage-sixty-epochs",
        partial(montage, n=1600),
        but(MONTAGE, lr=4e-4, per_epoch=10, schedule=Schedule(type="cosine_annealing")),
    ),
    healthy(
        "montage-plain-descent-milestones",
        partial(montage, n=2400),
        but(
            MONTAGE,
            optimizer="sgd",
            lr=0.04,
            steps=900,
            schedule=Schedule(type="multistep", milestones=(450, 750), gamma=0.2),
        ),
    ),
    healthy("montage-timed", partial(montage, n=1600), but(MONTAGE, seconds=True, norms_every=0, steps=500)),
)
