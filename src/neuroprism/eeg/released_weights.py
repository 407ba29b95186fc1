"""The published weights of EEGMamba: what the file is called, how it is recognised, where it is."""

from __future__ import annotations

RELEASED_NAME = "pretrained_EEGMamba.pth"
RELEASED_SHA256 = "b452bb29ecf1d6131ba82a50c6e13823ec1d660d9009d013e691d19b2916f4fe"
RELEASED_WHERE = "Hugging Face model repository weighting666/EEGMamba"
