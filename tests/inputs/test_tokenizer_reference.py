# ruff: noqa: RUF001  (letters that look like others are the point)
"""Every id equal to those of open_clip's SimpleTokenizer."""

from __future__ import annotations

import itertools
import json
import random
import sys
import time
import unicodedata
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo import data
from zoo.inputs import tokenizer
from zoo.inputs.tokenizer import Tokenizer

pytestmark = pytest.mark.reference

SENTENCES = [
    "A photo of a dog, taken at 5 o'clock; isn't it GREAT?!",
    "Ein süßer Hund überquert die Straße",
    "Le chien n'a pas mangé l'œuf — ça alors…",
    "Собака бежит по улице",
    "Ο ΣΚΥΛΟΣ ΤΡΕΧΕΙ ΣΤΟΥΣ ΔΡΟΜΟΥΣ",
    "İSTANBUL'DA bir köpek ıslanıyor",
    "कुत्ता सड़क पर दौड़ रहा है",
    "الكلب يركض في الشارع ١٢٣",
    "הכלב רץ ברחוב",
    "一只狗在街上奔跑。",
    "犬が通りを走っている・ﾊﾝｶｸ",
    "개가 거리를 달린다",
    "สุนัขวิ่งบนถนน",
    "ძაღლი ქუჩაში გარბის ႫႬ",
    "Շունը վազում է փողոցով",
    "ውሻው በመንገድ ላይ ይሮጣል",
    "𝔞 𝖉𝖔𝖌 ①②③ Ⅷ ½ ²",
    "🐶🐕‍🦺 👩🏽‍🔬🏳️‍🌈 1️⃣ ❤️",
    "cafÃ© â€œquotesâ€\x9d Ã¼ber schÃ¶n",
    "&lt;b&gt;dog&lt;/b&gt; &amp;amp; &#x1F436; &#128054; &nbsp; &copy; &bogus; &#xD800; &#0;",
    "<b>bold</b> &amp; <i>italic</i> https://example.org/a?b=c&d=e",
    "<start_of_text>dog<end_of_text> !<START_OF_TEXT> <|startoftext|> <end_of_text",
    "<\u017ftart_of_text> it'\u017f \u017f\u0345 K\u212a",
    "a\x00b\x07c\x1bd\x7fe\x85f \x1b[31mred\x1b[0m \x1c\x1d\x1e\x1f",
    "zero\u200bwidth\u200djoin\u00adsoft\ufeffbom \u202eright\u202c \u2028 \u2029 \u180e",
    "\ud83d\udc36 pair \ud800 lone \udfff low",
    "e\u0301 \u00e9 \u1e9b\u0323 \ufb01 \ufdfa \uff21\uff22 \u0130\u0307",
    "snake_case-with--dashes... (brackets) [and] {more} @#$%^&*~`|\\/",
    "don't I'LL we'Ve you'RE he'D it'S 'tis rock'n'roll ''s '' '",
    "1234567890 3.14 1,000,000 0x1F 50% $5 #1",
    "",
    " ",
    "\t\n\r\x0b\x0c",
    "\u3000\u00a0\u2003",
    "a " * 100,
    "pneumonoultramicroscopicsilicovolcanoconiosis" * 20,
    "狗" * 300,
    "!" * 500,
    "é" * 200 + " &amp; " + "ö" * 200,
]


@pytest.fixture(scope="module")
def simple_tokenizer(open_clip: ModuleType) -> Callable[..., Any]:
    return open_clip.tokenizer.SimpleTokenizer()


@pytest.fixture(scope="module")
def imagenet_prompts() -> list[str]:
    names, templates = (
        json.loads(data.path(f"imagenet_{kind}.json").read_text(encoding="utf-8"))
        for kind in ("classes", "templates")
    )
    return [template.replace("{}", name) for name in names for template in templates]


def assert_equal_rows(texts: list[str], simple_tokenizer: Any) -> None:
    ours, theirs = Tokenizer()(texts), simple_tokenizer(texts).numpy()
    differing = [
        text for text, a, b in zip(texts, ours, theirs, strict=True) if not np.array_equal(a, b)
    ]
    assert not differing


def test_sentences(simple_tokenizer: Any) -> None:
    assert_equal_rows(SENTENCES, simple_tokenizer)
    for text in SENTENCES:
        assert Tokenizer().encode(text) == simple_tokenizer.encode(text)


def test_mixtures_of_sentences(simple_tokenizer: Any) -> None:
    """Pieces of every sentence beside pieces of every other, cut anywhere."""
    draw = random.Random(0)
    pieces = [text[draw.randrange(len(text) + 1) :][:12] for text in SENTENCES]
    texts = [a + glue + b for a, b in itertools.product(pieces, repeat=2) for glue in ("", " ")]
    assert len(texts) > 3000
    assert_equal_rows(texts, simple_tokenizer)


@pytest.mark.parametrize("step", [13, pytest.param(1, marks=pytest.mark.long)])
def test_characters_of_unicode(simple_tokenizer: Any, step: int) -> None:
    """Characters of every category and noncharacters, each beside letters, digits and marks."""
    characters = [
        chr(point)
        for point in range(sys.maxunicode + 1)
        if unicodedata.category(chr(point)) not in ("Cn", "Co", "Cs") or point & 0xFFFE == 0xFFFE
    ]
    of_category = {unicodedata.category(character): character for character in characters}
    assert len(of_category) == 28  # all but surrogates and private use
    characters = [*characters[::step], *of_category.values()]
    tokenize = Tokenizer()
    for start in range(0, len(characters), 64):
        text = " ".join(f"a{c}A 1{c} !{c}{c} {c}'s" for c in characters[start : start + 64])
        assert tokenize.encode(text) == simple_tokenizer.encode(text)


@settings(max_examples=1000, deadline=None, derandomize=True, database=None)
@given(text=st.text(st.characters(exclude_categories=[]), max_size=60))
def test_any_text(simple_tokenizer: Any, text: str) -> None:
    assert Tokenizer().encode(text) == simple_tokenizer.encode(text)


@settings(max_examples=1000, deadline=None, derandomize=True, database=None)
@given(text=st.text(" '&;<>_#xstrevmdlSTa1é\u017f\n", max_size=40))
def test_any_text_of_awkward_characters(simple_tokenizer: Any, text: str) -> None:
    assert Tokenizer().encode(text) == simple_tokenizer.encode(text)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(ids=st.lists(st.integers(0, 49_407), max_size=20))
def test_decode(simple_tokenizer: Any, ids: list[int]) -> None:
    assert Tokenizer().decode(ids) == simple_tokenizer.decode(ids)


@pytest.mark.parametrize("context_length", [1, 2, 5, 32])
def test_context_lengths(simple_tokenizer: Any, context_length: int) -> None:
    ours = Tokenizer()(SENTENCES, context_length=context_length)
    assert np.array_equal(ours, simple_tokenizer(SENTENCES, context_length=context_length).numpy())


def test_imagenet_prompts(simple_tokenizer: Any, imagenet_prompts: list[str]) -> None:
    assert len(imagenet_prompts) == 80_000
    assert_equal_rows(imagenet_prompts, simple_tokenizer)


@pytest.mark.long
def test_ten_times_as_fast(open_clip: ModuleType, imagenet_prompts: list[str]) -> None:
    """Both from an empty cache of words, in turns, the best of five each."""

    def seconds(tokenize: Callable[[list[str]], Any]) -> float:
        start = time.perf_counter()
        tokenize(imagenet_prompts)
        return time.perf_counter() - start

    Tokenizer()("read the vocabulary before the clock starts")
    ours, theirs = [], []
    for _ in range(5):
        tokenizer._encode_cached.cache_clear()
        ours.append(seconds(Tokenizer()))
        theirs.append(seconds(open_clip.tokenizer.SimpleTokenizer()))
    ratio = min(theirs) / min(ours)
    print(f"\n80,000 prompts: {min(ours):.3f} s, open_clip {min(theirs):.3f} s, {ratio:.1f} x")
    assert ratio >= 10
