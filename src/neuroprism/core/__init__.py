"""Records, configuration, registries, files and errors; imports nothing of the package above it."""
