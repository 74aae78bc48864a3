"""What every room stands on: run directory, settings, errors, keys, progress, sentences."""
