"""The layers that training never changes, cut off and run by themselves."""
