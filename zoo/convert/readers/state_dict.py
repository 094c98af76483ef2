"""A state dict as a pickle gives it: names and tensors, perhaps with more beside them."""

from __future__ import annotations

from collections.abc import Callable

from zoo.convert.readers.contents import Contents
from zoo.convert.readers.layout import Extent, shown
from zoo.convert.readers.pickle_data import DICT, Call, Global, Value
from zoo.convert.readers.pieces import LongText, Stored
from zoo.errors import FormatError

MAPPINGS = {DICT, Global("collections", "OrderedDict")}
TENSORS = {
    Global("torch._utils", "_rebuild_tensor_v2"),
    Global("torch._utils", "_rebuild_parameter"),
    Global("numpy.core.multiarray", "_reconstruct"),
    Global("numpy._core.multiarray", "_reconstruct"),
}


def contents(root: Value, layout: Callable[[str, Value], Stored], *, format: str) -> Contents:
    """The tensors of a state dict, bare or under ``state_dict`` as training checkpoints have it.

    Args:
        root: what the pickle gave.
        layout: where the tensor of a name and value lies.
        format: the name of the file's format.

    Raises:
        FormatError: the pickle holds no state dict; and what ``layout`` raises.
    """
    checkpoint = entries(root, "the checkpoint")
    ignored = {}
    state = checkpoint
    if "state_dict" in checkpoint:
        state = entries(checkpoint.pop("state_dict"), "its state_dict")
        ignored = {name: described(value) for name, value in checkpoint.items()}
    layouts = {name: layout(name, value) for name, value in state.items()}
    return Contents(format=format, layouts=layouts, ignored=ignored)


def entries(value: Value, what: str) -> dict[str, Value]:
    """A dict with names for keys.

    Raises:
        FormatError: it is none, or has a name twice.
    """
    if not isinstance(value, Call) or value.function not in MAPPINGS or value.args:
        raise FormatError(
            f"{what} is no dict of tensors but {described(value)}",
            remedy="Save the model's state_dict() instead.",
        )
    found: dict[str, Value] = {}
    for key, entry in value.items:
        if not isinstance(key, str):
            raise FormatError(f"{what} has a key that is no string but {described(key)}")
        if key in found:
            raise FormatError(f"{what} has the key {shown(key)} twice")
        found[key] = entry
    return found


def no_tensor(name: str, value: Value) -> FormatError:
    """The error for an entry that is something else."""
    return FormatError(
        f"the entry {shown(name)} is no tensor but {described(value)}",
        remedy="A checkpoint is a dict of tensors, or has one under the key 'state_dict'.",
    )


def described(value: Value) -> str:
    """A word or two on a value, such as "dict of 2", "12" or "argparse.Namespace"."""
    match value:
        case Call(function=function, items=items) if function in MAPPINGS:
            return f"dict of {len(items)}"
        case Call(function=function):
            return "tensor" if function in TENSORS else str(function)
        case str():
            return shown(value)
        case None | bool() | int() | float():
            return str(value)
        case Global():
            return str(value)
        case Extent():
            return "bytes"
        case LongText(nbytes=nbytes):
            return f"text of {nbytes} bytes"
    return type(value).__name__.lower()
