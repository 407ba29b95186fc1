"""Memory that is not enough: told apart from other errors, and what to say of it."""

from __future__ import annotations

import torch

from neuroprism.core.records import Alert

_SIGNS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "defaultcpuallocator",
    "cublas_status_alloc_failed",
)
_LONGEST_REASON = 160


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory of the device or of the machine was not enough."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def memory_alert(
    error: BaseException,
    *,
    step: int,
    epoch: int,
    in_step: bool,
    batch_size: int | None,
    accumulation_steps: int,
    mixed_precision: bool,
    device: str,
) -> Alert:
    """Return the alert about an error, with the numbers and the remedies.

    Parameters
    ----------
    error
        What was raised.
    step, epoch
        Step that was to be made, or the last one made, and its epoch.
    in_step
        Whether it was raised while the step was made; otherwise after it, as in validation.
    batch_size, accumulation_steps
        Samples of a batch, None where unknown, and batches of a step.
    mixed_precision
        Whether that remedy is used already.
    device
        Where the model is.
    """
    size = "" if batch_size is None else f" with batches of {batch_size} samples"
    reason = _reason(error)
    return Alert(
        rule="out_of_memory",
        kind="out_of_memory",
        severity="critical",
        step=step,
        epoch=epoch,
        message=(
            f"memory was not enough {'in' if in_step else 'after'} step {step}{size} and "
            f"training.accumulation_steps={accumulation_steps}: {reason}"
        ),
        evidence={
            "batch_size": batch_size,
            "accumulation_steps": accumulation_steps,
            "mixed_precision": mixed_precision,
            "device": device,
            "error": reason,
        },
        # Mixed precision is not to be had on Apple's devices.
        advice=_advice(batch_size, accumulation_steps, precise=not (mixed_precision or device == "mps")),
    )


def _advice(batch_size: int | None, accumulation_steps: int, *, precise: bool) -> str:
    remedies: list[str] = []
    if batch_size is None:
        remedies.append("halve data.dataloader.batch_size and double training.accumulation_steps")
    elif batch_size > 1:
        remedies.append(
            f"set data.dataloader.batch_size={batch_size // 2} and "
            f"training.accumulation_steps={2 * accumulation_steps}"
        )
    if precise:
        remedies.append("set hardware.mixed_precision=true")
    return ", or ".join(remedies) or "train a smaller network, or on a device with more memory"


def _reason(error: BaseException) -> str:
    """Return the sentence of the library that says it, and how much was asked for."""
    sentences = [sentence.rstrip(".") for sentence in " ".join(str(error).split()).split(". ")]
    told = [n for n, sentence in enumerate(sentences) if any(sign in sentence.lower() for sign in _SIGNS)]
    first = told[0] if told else 0
    asked_for = [sentence for sentence in sentences[first + 1 :] if sentence.startswith("Tried to")]
    return "; ".join([sentences[first], *asked_for[:1]])[:_LONGEST_REASON] or type(error).__name__
