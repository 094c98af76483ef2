"""Ours beside what people would use instead: the same work, in one run, in turns."""
