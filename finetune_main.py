"""Fine-tune an EEG network: the same as `neuroprism finetune`."""

from neuroprism.cli import main

main("finetune")
