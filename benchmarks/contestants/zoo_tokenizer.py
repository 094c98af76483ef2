"""zoo's tokenizer, which needs no framework; its cache is emptied before every call.

``tokenize without`` knows neither the cache nor which texts need no mending.
"""

from __future__ import annotations

from unittest.mock import patch

from benchmarks.contestants.serve import Works
from zoo.inputs import clean, tokenizer


def prepare() -> Works:
    tokenize = tokenizer.Tokenizer()

    def run(texts: list[str]) -> object:
        tokenizer._encode_cached.cache_clear()
        return tokenize(texts)

    def without(texts: list[str]) -> object:
        with (
            patch.object(tokenizer, "_encode_cached", tokenizer._encode_chunk),
            patch.object(clean, "_is_plain", lambda text: False),
        ):
            return tokenize(texts)

    return {"tokenize": run, "tokenize without": without}
