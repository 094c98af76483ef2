"""The machine against Python's own unpickler, and against pickles that mean harm."""

from __future__ import annotations

import collections
import io
import os
import pickle
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.convert.readers.layout import Extent
from zoo.convert.readers.pickle_data import LONG, MAX_OPCODES, MAX_TEXT, Call, Global, load
from zoo.convert.readers.pieces import LongText
from zoo.errors import FormatError, TruncatedError, ZooError

TEXT = st.text(max_size=4)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**2000), 2**2000)
    | st.floats(allow_nan=False)
    | TEXT
    | st.binary(max_size=300),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(TEXT | st.integers(), inner, max_size=4)
        | st.sets(TEXT, max_size=4)
        | st.frozensets(TEXT, max_size=4)
    ),
    max_leaves=8,
)


def _load(data, start=0):
    return load(
        memoryview(data),
        start,
        check_global=lambda found: None,
        persistent_load=lambda identity: ("persistent", identity),
    )


def _as_python(value, data):
    """What the pickle means, for the globals that plain values take."""
    match value:
        case Extent():
            return data[value.offset : value.offset + value.nbytes]
        case Call(function=Global(name="encode"), args=(text, "latin1")):
            return text.encode("latin1")
        case Call(function=Global(name="bytes"), args=()):
            return b""
        case Call(function=Global(name="set" | "frozenset"), args=(elements,)):
            return elements
        case Call(args=()):
            return {key: _as_python(item, data) for key, item in value.items}
        case list():
            return [_as_python(item, data) for item in value]
        case tuple():
            return tuple(_as_python(item, data) for item in value)
    return value


def _without_sets(value):
    match value:
        case list() | set() | frozenset():
            return [_without_sets(item) for item in value]
        case tuple():
            return tuple(_without_sets(item) for item in value)
        case dict():
            return {key: _without_sets(item) for key, item in value.items()}
    return value


@given(value=VALUES, protocol=st.integers(2, 5), before=st.integers(0, 3))
def test_plain_values_are_those_of_pythons_unpickler(value, protocol, before):
    data = b"\0" * before + pickle.dumps(value, protocol)
    loaded, end = _load(data + b"more", before)
    assert _as_python(loaded, data) == _without_sets(value)
    assert end == len(data)


def test_the_memo_keeps_identity_and_recursion():
    shared = [1]
    value = {"a": shared, "b": shared}
    shared.append(shared)
    loaded, _ = _load(pickle.dumps(value, 4))
    (_, first), (_, second) = loaded.items
    assert first is second is first[1]


def test_objects_stay_data():
    value = collections.OrderedDict(a=1)
    value.mark = 2
    loaded, _ = _load(pickle.dumps(value, 2))
    assert loaded.function == Global("collections", "OrderedDict")
    assert (loaded.args, loaded.items) == ((), [("a", 1)])
    assert loaded.state.items == [("mark", 2)]


def test_repeated_keys_are_kept(build):
    loaded, _ = _load(build.pickle(build.Raw(b"}(" + build.pickled("a") * 4 + b"u")))
    assert loaded.items == [("a", "a"), ("a", "a")]


def test_persistent_ids_are_handed_over(build):
    loaded, _ = _load(build.pickle((build.Raw(build.pickled(("storage", 1)) + b"Q"),)))
    assert loaded == (("persistent", ("storage", 1)),)


def _refuse(found):
    raise FormatError(f"refused {found}")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_global_is_checked_before_it_is_used(protocol):
    class Program:
        def __reduce__(self):
            return os.system, ("true",)

    for value in (Program(), [Program()], {"a": Program()}, Program, (1, {"b": {Program}})):
        try:
            data = pickle.dumps(value, protocol)
        except (pickle.PicklingError, AttributeError):  # a local class has no name
            continue
        with pytest.raises(FormatError, match=r"refused \w+\.system"):
            load(memoryview(data), 0, check_global=_refuse, persistent_load=_load)


def test_nothing_is_run(tmp_path):
    """A canary that Python's unpickler does set free."""
    canary = tmp_path / "canary"

    class Program:
        def __reduce__(self):
            return os.mkdir, (str(canary),)

    for protocol in (2, 4):
        data = pickle.dumps(Program(), protocol)
        loaded, _ = _load(data)
        assert loaded.args == (str(canary),)
        assert not canary.exists()
        pickle.loads(data)
        assert canary.exists()
        canary.rmdir()


@pytest.mark.parametrize(
    "code",
    [
        b".",  # nothing to return
        b"0.",
        b"]a.",
        b"t.",
        b"\x85.",
        b"q\x00.",
        b"Nq\x00h\x01.",
        b"}K\x01s.",
        b"}(K\x01u.",
        b"](K\x01u.",
        b"NK\x01a.",
        b"NNb.",
        b"NNR.",
        b"NN\x81.",
        b"K\x01K\x02\x93.",
        b"X\x01\x00\x00\x00\xff.",
        b"cos\nsystem\n]R.",
        b"c" + b"o" * 300 + b"\nsystem\n.",
    ],
)
def test_damaged_pickles(code):
    with pytest.raises(FormatError, match="the pickle"):
        _load(b"\x80\x02" + code)


@pytest.mark.parametrize(
    "code",
    [
        b"(S'true'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'true'\no.",  # OBJ
        b"I1\n.",
        b"L1L\n.",
        b"\x82\x01.",  # EXT1
        b"\x8b\xff\xff\xff\x7f.",  # LONG4
        b"P1\n.",
        b"\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",  # BYTEARRAY8
        b"\xff",
    ],
)
def test_opcodes_that_no_checkpoint_has(code):
    with pytest.raises(FormatError, match="opcode"):
        _load(b"\x80\x02" + code)


def test_every_truncation():
    data = pickle.dumps({"a": [1, 2.0, "three", b"four", 2**70, (1, 2, 3, 4)]}, 4)
    for size in range(len(data)):
        with pytest.raises((TruncatedError, FormatError)):
            _load(data[:size])
    with pytest.raises(TruncatedError, match=f"ends at byte {len(data) - 1}"):
        _load(data[:-1])


@pytest.mark.parametrize(
    "code",
    [
        b"B\xff\xff\xff\xff",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x8e\x00\x00\x00\x00\x00\x01\x00\x00",
        b"cos",
        b"cos\nsystem",
    ],
)
def test_lengths_beyond_the_end(code):
    with pytest.raises(TruncatedError):
        _load(b"\x80\x02" + code + b".")


@pytest.mark.parametrize(
    "code", [b"X\xff\xff\xff\xff", b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff", b"\x8d" + b"\0" * 7]
)
def test_texts_beyond_the_end(code):
    with pytest.raises(ZooError):
        _load(b"\x80\x02" + code + b".")


def test_the_largest_memo_index_costs_nothing():
    assert _load(b"\x80\x02Nr\xff\xff\xff\xffj\xff\xff\xff\xff.")[0] is None


def test_more_than_any_checkpoint_has():
    with pytest.raises(FormatError, match="opcodes"):
        _load(b"\x80\x02" + b"]" * MAX_OPCODES + b".")
    whole, rest = (b"X" + n.to_bytes(4, "little") + b"a" * n for n in (LONG, MAX_TEXT % LONG))
    names = b"\x80\x02" + whole * (MAX_TEXT // LONG) + rest
    _load(names + b".")
    with pytest.raises(FormatError, match="bytes of text"):
        _load(names + b"X\x01\x00\x00\x00a.")


def test_long_text_stays_in_the_file():
    text = "ab" * LONG
    data = pickle.dumps([text, text[:LONG]], protocol=2)
    (long, short), _ = _load(data)
    assert isinstance(long, LongText) and short == text[:LONG]
    assert data[long.offset : long.offset + long.nbytes] == text.encode()


def _hash_bomb() -> bytes:
    """A key of 2^100 leaves: each pair holds the one before it twice."""
    code = io.BytesIO()
    code.write(b"\x80\x02}K\x01q\x00")
    for _ in range(100):
        code.write(b"h\x00\x86q\x00")
    code.write(b"Ns.")
    return code.getvalue()


def test_keys_are_not_hashed():
    ((key, _),) = _load(_hash_bomb())[0].items
    assert isinstance(key, tuple)


DEEP = 200_000


@pytest.mark.parametrize(
    "code",
    [
        b")" + b"\x85" * DEEP,
        b"]" * DEEP + b"a" * (DEEP - 1),
        b"}N" * DEEP + b"N" + b"s" * DEEP,
        b"ccollections\nOrderedDict\n" + b"q\x00" + b"h\x00" * DEEP + b")" + b"R\x85" * DEEP,
        b"(" * DEEP + b"t" * DEEP,
    ],
    ids=["tuples", "lists", "dicts", "calls", "marks"],
)
def test_deep_nesting_neither_recurses_nor_crashes(code, tmp_path):
    """In a process of its own: what is nested too deeply can crash when it is thrown away."""
    path = tmp_path / "deep.pkl"
    path.write_bytes(b"\x80\x02" + code + b".")
    script = textwrap.dedent(
        f"""
        from pathlib import Path
        from zoo.convert.readers.pickle_data import load
        data = memoryview(Path({str(path)!r}).read_bytes())
        value, end = load(data, 0, check_global=print, persistent_load=print)
        assert end == len(data)
        """
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
