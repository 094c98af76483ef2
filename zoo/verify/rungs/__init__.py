"""The rungs of the ladder, one module each; ``zoo.verify.ladder`` puts them in order."""
