from __future__ import annotations

import string

import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.inputs import bpe, tokenizer
from zoo.inputs.tokenizer import Tokenizer

# ids by open_clip's SimpleTokenizer, without start and end
GOLDEN = {
    "": [],
    " \n": [],
    "a diagram": [320, 22697],
    "a dog": [320, 1929],
    "Hello, World!": [3306, 267, 1002, 256],
    "I'll don't we've": [328, 1342, 847, 713, 649, 1200],
    "&amp;lt;b&amp;gt; caf&eacute;": [283, 321, 285, 15304],
    "cafÃ©": [15304],
    "cafe\u0301": [15304],
    "ﬁne “quotes” — dash…": [3797, 257, 5808, 257, 2005, 10206, 959],
    "1234567 3.14": [272, 273, 274, 275, 276, 277, 278, 274, 269, 272, 275],
    "<start_of_text>": [49406],
    "<end_of_text> dog": [49407, 1929],
    "<|endoftext|>": [27, 347, 40786, 4160, 91, 285],
    "日本語の犬": [39121, 44353, 34002, 252, 21575, 163, 232, 361],
    "🐶👩\u200d👩\u200d👧": [14466, 26304, 26304, 964, 356],
    # a long s matches the special words' s when case is ignored, but is no special word
    "\u017fe <\u017ftart_of_text>": [129, 123, 324, 27, 129, 123, 16707, 62, 684, 62, 18169, 285],
    "a\x00b\tc\u200bd": [3937, 322, 9844, 323],
}


@pytest.fixture
def tokenize() -> Tokenizer:
    return Tokenizer()


@pytest.mark.parametrize(("text", "ids"), GOLDEN.items())
def test_golden_ids(tokenize: Tokenizer, text: str, ids: list[int]) -> None:
    assert tokenize.encode(text) == ids
    row = tokenize(text)[0]
    assert row.tolist() == [49406, *ids, 49407] + [0] * (75 - len(ids))


def test_rows(tokenize: Tokenizer) -> None:
    rows = tokenize(["a dog", "", "a cat"])
    assert rows.dtype == np.int64
    assert rows.shape == (3, 77)
    assert rows[:, :5].tolist() == [
        [49406, 320, 1929, 49407, 0],
        [49406, 49407, 0, 0, 0],
        [49406, 320, 2368, 49407, 0],
    ]
    assert tokenize([]).shape == (0, 77)


def test_a_long_text_loses_what_does_not_fit_and_keeps_its_end(tokenize: Tokenizer) -> None:
    assert tokenize("a " * 100)[0].tolist() == [49406] + [320] * 75 + [49407]
    assert tokenize("a " * 75)[0].tolist() == [49406] + [320] * 75 + [49407]
    assert tokenize("a " * 74)[0].tolist() == [49406] + [320] * 74 + [49407, 0]


def test_context_length() -> None:
    assert Tokenizer(context_length=4)("a dog").tolist() == [[49406, 320, 1929, 49407]]
    assert Tokenizer()("a dog", context_length=3).tolist() == [[49406, 320, 49407]]
    assert Tokenizer()("a dog", context_length=1).tolist() == [[49407]]


def test_decode(tokenize: Tokenizer) -> None:
    assert tokenize.decode(tokenize.encode("Hello, World! 日本")) == "hello , world ! 日本 "
    assert tokenize.decode(tokenize("a dog")[0, :4]) == "<start_of_text>a dog <end_of_text>"
    assert tokenize.decode([]) == ""


@pytest.mark.parametrize("texts", [None, 7, b"a dog", ["a dog", None], [b"a dog"]])
def test_what_is_not_text_is_refused(tokenize: Tokenizer, texts: object) -> None:
    with pytest.raises(UsageError, match="must be a str"):
        tokenize(texts)


@pytest.mark.parametrize("context_length", [0, -1])
def test_a_context_length_must_be_positive(context_length: int) -> None:
    with pytest.raises(UsageError):
        Tokenizer(context_length)
    with pytest.raises(UsageError):
        Tokenizer()("a", context_length=context_length)


@pytest.mark.parametrize("index", [-1, 49_408])
def test_an_unknown_id_is_refused(tokenize: Tokenizer, index: int) -> None:
    with pytest.raises(UsageError, match=str(index)):
        tokenize.decode([320, index])


def test_constructing_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> bytes:
        raise AssertionError("the vocabulary was read")

    bpe.vocabulary.cache_clear()
    monkeypatch.setattr(bpe, "vocabulary_text", refuse)
    tokenize = Tokenizer()
    with pytest.raises(AssertionError):
        tokenize("unheardof")


def test_digest_follows_vocabulary_and_algorithm(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = Tokenizer().digest
    assert len(digest) == 64
    assert set(digest) <= set(string.hexdigits)
    assert Tokenizer(context_length=5).digest == digest
    with monkeypatch.context() as patch:
        patch.setattr(bpe, "vocabulary_text", lambda: b"i n\n")
        assert Tokenizer().digest != digest
    monkeypatch.setattr(tokenizer, "_ALGORITHM", "another")
    assert Tokenizer().digest != digest


def test_the_cache_is_bounded_in_entries_and_in_length(tokenize: Tokenizer) -> None:
    cached = tokenizer._encode_cached
    assert cached.cache_info().maxsize == 2**16
    cached.cache_clear()
    long = "dog" * 100
    assert tokenize.encode(f"a {long} a") == [320, *bpe.encode_word(long), 320]
    assert cached.cache_info()[:2] == (1, 1)  # hits, misses: the long word is not kept
