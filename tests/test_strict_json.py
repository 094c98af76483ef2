from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import FormatError
from zoo.strict_json import parse_object

TEXT = st.text(max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@given(document=st.dictionaries(TEXT, JSON, max_size=3))
def test_what_json_can_say(document):
    assert parse_object(memoryview(json.dumps(document).encode()), what="it") == document


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "it is not JSON"),
        ('{"é": 1, x'.encode(), "at its byte 10"),
        (b'{"a": 1', "not JSON: .* at its byte 7"),
        (b'{"a": 1} x', "not JSON"),
        (b'{"a": \xff}', "not UTF-8 at its byte 6"),
        (b"[1]", "not a JSON object"),
        (b'{"a": 1, "b": {"c": 1, "c": 1}}', "the key 'c' appears twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity is no finite number"),
        (b'{"a": 1e999}', "1e999 is no finite number"),
        (b'{"a": ' + b"[" * 20_000, "nested too deeply"),
        (b'{"a": ' * 20_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "a number that is too long"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(FormatError, match=message) as caught:
        parse_object(memoryview(text), what="it")
    assert len(caught.value.what) < 200
