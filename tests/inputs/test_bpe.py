from __future__ import annotations

import pytest

from zoo.inputs import bpe


def test_vocabulary_has_every_id_once() -> None:
    vocabulary = bpe.vocabulary()
    assert len(vocabulary.symbols) == bpe.VOCAB_SIZE == 49_408
    assert len(set(vocabulary.symbols)) == bpe.VOCAB_SIZE
    assert sorted(vocabulary.byte_of.values()) == list(range(256))


def test_vocabulary_is_read_once() -> None:
    assert bpe.vocabulary() is bpe.vocabulary()


def test_a_merge_only_joins_earlier_ids() -> None:
    """What makes the lowest id the next merge, and one pass per merge enough."""
    for (left, right), merged in bpe.vocabulary().merges.items():
        assert max(left, right) < merged


@pytest.mark.parametrize(
    ("word", "ids"),
    [
        ("!", [256]),
        ("a", [320]),
        ("diagram", [22697]),
        ("aaaaaaa", [6727, 9583]),  # one pair many times in a row
        ("日本語の犬", [39121, 44353, 34002, 252, 21575, 163, 232, 361]),
    ],
)
def test_encode_word(word: str, ids: list[int]) -> None:
    assert bpe.encode_word(word) == ids


def test_decode_ids_joins_bytes_before_reading_them_as_utf8() -> None:
    assert bpe.decode_ids([21575, 163, 232, 361]) == "の犬 "
    assert bpe.decode_ids([163]) == "\ufffd"
