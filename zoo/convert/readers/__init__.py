"""Reading checkpoints: lazily, from mapped files, and without running any code from them.

A reader turns one file's headers into Contents: where each tensor's bytes lie, checked against
the file. Checkpoint serves the tensors as views. A new format is a module with a ``read`` that
returns Contents, a mark in recognise.py and a line in opening.py.
"""

from zoo.convert.readers.checkpoint import Checkpoint
from zoo.convert.readers.layout import TensorInfo
from zoo.convert.readers.opening import open_checkpoint, open_parts

__all__ = ["Checkpoint", "TensorInfo", "open_checkpoint", "open_parts"]
