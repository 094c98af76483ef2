"""A float32 model that computes in float64, one block at a time.

Widening is exact, and so is narrowing what was widened. So each block is widened just before it
runs and narrowed just after, and models fit of which a whole float64 copy would not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from zoo.verify.reference.interface import Reference
from zoo.verify.reference.libraries import torch


@contextmanager
def double_precision(reference: Reference) -> Iterator[None]:
    """Within, the towers of a float32 model take and return float64."""
    model = reference.model
    whole = [
        *reference.embeddings,
        *(block for blocks in reference.blocks.values() for block in blocks),
    ]
    inside = {module for unit in whole for module in unit.modules()}
    outside = [module for module in model.modules() if module not in inside]
    # Bare tables stay: what is looked up in them is widened exactly, wherever it is widened.
    leaves = [
        module
        for module in outside
        if not (isinstance(module, torch.nn.Embedding) or list(module.children()))
    ]
    bare = [
        parameter
        for module in outside
        if list(module.children())
        for parameter in module.parameters(recurse=False)
    ]
    with ExitStack() as stack:
        for module in (*whole, *leaves):
            stack.callback(module.register_forward_pre_hook(_widen).remove)
            stack.callback(module.register_forward_hook(_narrow).remove)
        for parameter in bare:
            parameter.data = parameter.data.double()
            stack.callback(_narrow_parameter, parameter)
        # open_clip casts embedded text to the type of the first block's weights, which is float32
        # as long as that block waits.
        for transformer in (m for m in outside if hasattr(m, "get_cast_dtype")):
            transformer.get_cast_dtype = lambda: torch.float64
            stack.callback(delattr, transformer, "get_cast_dtype")
        yield


def _widen(module: torch.nn.Module, inputs: object) -> None:
    module.double()


def _narrow(module: torch.nn.Module, inputs: object, output: object) -> None:
    module.float()


def _narrow_parameter(parameter: torch.nn.Parameter) -> None:
    parameter.data = parameter.data.float()
