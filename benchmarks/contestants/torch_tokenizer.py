"""open_clip's tokenizer, made anew for every call so that its cache is empty too."""

from __future__ import annotations

from benchmarks.contestants.serve import Works
from zoo.verify.reference.libraries import open_clip


def prepare() -> Works:
    def run(texts: list[str]) -> object:
        return open_clip.tokenizer.SimpleTokenizer()(texts).numpy()

    return {"tokenize": run}
