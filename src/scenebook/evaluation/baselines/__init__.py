"""Simple classifiers that learn from the same images as the network, to compare it with."""
