"""The raw formats of the datasets."""
