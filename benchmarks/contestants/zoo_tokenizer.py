"""zoo's tokenizer, which needs no framework; its cache is emptied before every call."""

from __future__ import annotations

from benchmarks.contestants.serve import Works
from zoo.inputs import tokenizer


def prepare() -> Works:
    tokenize = tokenizer.Tokenizer()

    def run(texts: list[str]) -> object:
        tokenizer._encode_cached.cache_clear()
        return tokenize(texts)

    return {"tokenize": run}
