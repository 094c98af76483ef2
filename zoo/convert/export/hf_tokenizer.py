"""transformers' tokenizer files: CLIP's vocabulary in the spelling that CLIPTokenizer reads.

It names ``<|startoftext|>`` and ``<|endoftext|>`` what open_clip calls ``<start_of_text>`` and
``<end_of_text>``; ids and merges are the same.
"""

from __future__ import annotations

import json
from typing import Any

from zoo.files import pretty_json
from zoo.inputs import bpe

START, END = "<|startoftext|>", "<|endoftext|>"
# OpenAI's own choice. Which id pads a text plays no part: the end token is what counts, attention
# is causal, and of equal ids the first is taken.
SPECIAL = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}


def tokenizer_files(context_length: int) -> dict[str, bytes]:
    """The four files, by name, for texts of at most ``context_length`` tokens."""
    vocabulary = bpe.vocabulary()
    symbols = (*vocabulary.symbols[: -len(bpe.SPECIAL)], START, END)
    ids = {symbol: index for index, symbol in enumerate(symbols)}
    merges = [f"{symbols[left]} {symbols[right]}" for left, right in vocabulary.merges]
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": context_length,
        "do_lower_case": True,
        **SPECIAL,
    }
    return {
        "vocab.json": _compact(ids),
        "merges.txt": "\n".join(["#version: 0.2", *merges, ""]).encode(),
        "tokenizer_config.json": pretty_json(config),
        "special_tokens_map.json": pretty_json(SPECIAL),
    }


def _compact(document: dict[str, Any]) -> bytes:
    """In the order of the ids; 49408 lines would be no easier to read."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
