"""How fast this is, beside plain Keras: measured in one run, on the same pictures. `python -m benchmarks --help`."""
