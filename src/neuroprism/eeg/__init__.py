"""EEG: fourteen downstream datasets, their networks, and fine-tuning."""
