"""One module per contestant, each for a process of its own: ``prepare`` loads a model and gives
what it can do, by name."""
