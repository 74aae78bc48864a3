"""How fast this is, beside plain Keras: measured in one run, on the same images. `python -m benchmarks --help`."""
