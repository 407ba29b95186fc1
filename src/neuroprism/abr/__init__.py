"""Auditory brainstem responses: recordings, simulation, model and training task."""
