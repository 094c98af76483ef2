"""Reads a pickle as data: nothing it names is imported, called or given state.

A pickle is a program for a stack machine. This runs the part of the machine that shapes values;
where the real one would import a global it leaves a Global, where it would call one it leaves a
Call, and neither means anything until a reader gives it a meaning. Python's own Unpickler, even
with find_class overridden, allocates what a hostile length asks for, and hashes what a hostile
file puts in for a key, which can take for ever or end the process; here keys are never hashed.

The opcodes: the standard library's pickletools. Those that protocols 2 to 5 don't write for
checkpoints are refused.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from zoo.convert.readers.layout import Extent
from zoo.convert.readers.pieces import LongText
from zoo.errors import FormatError, TruncatedError

# A training checkpoint with the zoo's most tensors, 974, takes 122,000 opcodes and 65 kB of text.
MAX_OPCODES = 1_000_000
MAX_TEXT = 16 * 2**20  # bytes
LONG = 12 * 2**10  # bytes of text that are no name any more, and stay in the file
MAX_GLOBAL = 200  # bytes of a global's module or name

Value = Any  # None, bool, int, float, str or LongText, tuple, list, Extent (bytes), Global, Call,
# or the result of ``persistent_load``


@dataclass(frozen=True, slots=True)
class Global:
    """The name of something importable."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False, repr=False)
class Call:
    """What calling ``function(*args)`` would give, with the items and state set on it since.

    A dict is a call of builtins.dict. Items are pairs in the order they were set, repeated keys
    included.
    """

    function: Global
    args: tuple[Value, ...] = ()
    items: list[tuple[Value, Value]] = field(default_factory=list)
    state: Value = None


DICT = Global("builtins", "dict")


class Data(Protocol):
    """Bytes, of which slices are read as they are needed; a memoryview is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> memoryview: ...


def load(
    data: Data,
    start: int,
    *,
    check_global: Callable[[Global], None],
    persistent_load: Callable[[Value], Value],
) -> tuple[Value, int]:
    """Reads one pickle.

    Args:
        data: the bytes; bytes objects in the pickle come back as Extents in it.
        start: where the pickle begins in ``data``.
        check_global: raises for a global that the pickle may not name.
        persistent_load: gives a value for a persistent id, as in pickle.Unpickler.

    Returns:
        The value, and the position behind the pickle.

    Raises:
        FormatError: it is damaged, or larger than any checkpoint's.
        TruncatedError: the bytes end before the pickle does.
    """
    machine = _Machine(data, start, check_global, persistent_load)
    try:
        value = machine.run()
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise FormatError(f"the pickle is damaged before byte {machine.position}") from error
    return value, machine.position


class _Machine:
    def __init__(
        self,
        data: Data,
        position: int,
        check_global: Callable[[Global], None],
        persistent_load: Callable[[Value], Value],
    ) -> None:
        self.data = data
        self.position = position
        self.check_global = check_global
        self.persistent_load = persistent_load
        self.text = 0  # bytes decoded so far
        self.stack: list[Value] = []
        self.below: list[list[Value]] = []  # the stacks under each mark
        self.memo: dict[int, Value] = {}

    def run(self) -> Value:
        for _ in range(MAX_OPCODES):
            opcode = self.byte()
            if opcode == _STOP:
                return self.stack.pop()
            operation = _OPERATIONS.get(opcode)
            if operation is None:
                raise FormatError(
                    f"the pickle has opcode {bytes([opcode])!r} at byte {self.position - 1}, "
                    "which no checkpoint needs"
                )
            operation(self)
        raise FormatError(f"the pickle has more than {MAX_OPCODES} opcodes")

    def skip(self, count: int) -> int:
        """Where the skipped bytes begin."""
        begin = self.position
        if count > len(self.data) - begin:
            raise TruncatedError(
                f"the pickle ends at byte {len(self.data)} and needs at least {begin + count}"
            )
        self.position += count
        return begin

    def take(self, count: int) -> memoryview:
        return self.data[self.skip(count) : self.position]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self, code: str) -> Any:
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def text_of(self, count: int) -> str | LongText:
        return self.string(count) if count <= LONG else LongText(self.skip(count), count)

    def string(self, count: int) -> str:
        self.text += count
        if self.text > MAX_TEXT:
            raise FormatError(f"the pickle has more than {MAX_TEXT} bytes of text")
        # As the standard library does: what a tensor may be called is decided elsewhere.
        return str(self.take(count), "utf-8", "surrogatepass")

    def line(self) -> str:
        length = bytes(self.data[self.position : self.position + MAX_GLOBAL]).find(b"\n")
        if length < 0:
            self.take(MAX_GLOBAL)  # raises where this is because the bytes end
            raise FormatError("the pickle names a global without end")
        line = self.string(length)
        self.position += 1
        return line

    def extent(self, count: int) -> Extent:
        return Extent(self.skip(count), count)

    def named(self, module: Value, name: Value) -> Global:
        if not isinstance(module, str) or not isinstance(name, str):
            raise FormatError(f"the pickle is damaged before byte {self.position}")
        found = Global(module, name)
        self.check_global(found)
        return found

    def to_mark(self) -> list[Value]:
        values, self.stack = self.stack, self.below.pop()
        return values

    def popped(self, count: int) -> list[Value]:
        if count > len(self.stack):
            raise IndexError
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return values

    def call(self, function: Value, args: Value) -> None:
        if not isinstance(function, Global) or not isinstance(args, tuple):
            raise FormatError(f"the pickle calls what is no global before byte {self.position}")
        self.stack.append(Call(function, args))

    def extend(self, values: list[Value]) -> None:
        if not isinstance(self.stack[-1], list):
            raise FormatError(f"the pickle appends to no list before byte {self.position}")
        self.stack[-1].extend(values)

    def set_items(self, values: list[Value]) -> None:
        target = self.stack[-1]
        if not isinstance(target, Call) or len(values) % 2:
            raise FormatError(f"the pickle sets items on no dict before byte {self.position}")
        target.items.extend(zip(values[::2], values[1::2], strict=True))

    def build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Call):
            raise FormatError(f"the pickle sets state on no object before byte {self.position}")
        self.stack[-1].state = state


def _push(value: Callable[[_Machine], Value]) -> Callable[[_Machine], None]:
    def operation(machine: _Machine) -> None:
        pushed = value(machine)  # first of all: it may put another stack in place
        machine.stack.append(pushed)

    return operation


def _put(index: Callable[[_Machine], int]) -> Callable[[_Machine], None]:
    def operation(machine: _Machine) -> None:
        machine.memo[index(machine)] = machine.stack[-1]

    return operation


def _mark(machine: _Machine) -> None:
    machine.below.append(machine.stack)
    machine.stack = []


def _stack_global(machine: _Machine) -> Global:
    module, name = machine.popped(2)
    return machine.named(module, name)


# Sets are lists here: an element that can't be hashed does no harm.
_OPERATIONS: dict[int, Callable[[_Machine], object]] = {
    opcode[0]: operation
    for opcode, operation in {
        pickle.PROTO: lambda m: m.take(1),
        pickle.FRAME: lambda m: m.take(8),
        pickle.MARK: _mark,
        pickle.NONE: _push(lambda m: None),
        pickle.NEWTRUE: _push(lambda m: True),
        pickle.NEWFALSE: _push(lambda m: False),
        pickle.BININT: _push(lambda m: m.number("<i")),
        pickle.BININT1: _push(lambda m: m.byte()),
        pickle.BININT2: _push(lambda m: m.number("<H")),
        pickle.LONG1: _push(lambda m: int.from_bytes(m.take(m.byte()), "little", signed=True)),
        pickle.BINFLOAT: _push(lambda m: m.number(">d")),
        pickle.SHORT_BINUNICODE: _push(lambda m: m.string(m.byte())),
        pickle.BINUNICODE: _push(lambda m: m.text_of(m.number("<I"))),
        pickle.BINUNICODE8: _push(lambda m: m.text_of(m.number("<Q"))),
        pickle.SHORT_BINBYTES: _push(lambda m: m.extent(m.byte())),
        pickle.BINBYTES: _push(lambda m: m.extent(m.number("<I"))),
        pickle.BINBYTES8: _push(lambda m: m.extent(m.number("<Q"))),
        pickle.EMPTY_TUPLE: _push(lambda m: ()),
        pickle.TUPLE1: _push(lambda m: tuple(m.popped(1))),
        pickle.TUPLE2: _push(lambda m: tuple(m.popped(2))),
        pickle.TUPLE3: _push(lambda m: tuple(m.popped(3))),
        pickle.TUPLE: _push(lambda m: tuple(m.to_mark())),
        pickle.EMPTY_LIST: _push(lambda m: []),
        pickle.EMPTY_SET: _push(lambda m: []),
        pickle.FROZENSET: _push(lambda m: m.to_mark()),
        pickle.APPEND: lambda m: m.extend(m.popped(1)),
        pickle.APPENDS: lambda m: m.extend(m.to_mark()),
        pickle.ADDITEMS: lambda m: m.extend(m.to_mark()),
        pickle.EMPTY_DICT: _push(lambda m: Call(DICT)),
        pickle.SETITEM: lambda m: m.set_items(m.popped(2)),
        pickle.SETITEMS: lambda m: m.set_items(m.to_mark()),
        pickle.GLOBAL: _push(lambda m: m.named(m.line(), m.line())),
        pickle.STACK_GLOBAL: _push(_stack_global),
        pickle.REDUCE: lambda m: m.call(*m.popped(2)),
        pickle.NEWOBJ: lambda m: m.call(*m.popped(2)),
        pickle.BUILD: _Machine.build,
        pickle.BINPERSID: _push(lambda m: m.persistent_load(m.stack.pop())),
        pickle.BINPUT: _put(lambda m: m.byte()),
        pickle.LONG_BINPUT: _put(lambda m: m.number("<I")),
        pickle.MEMOIZE: _put(lambda m: len(m.memo)),
        pickle.BINGET: _push(lambda m: m.memo[m.byte()]),
        pickle.LONG_BINGET: _push(lambda m: m.memo[m.number("<I")]),
    }.items()
}
_STOP = pickle.STOP[0]
