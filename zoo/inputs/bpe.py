"""CLIP's byte-pair encoding: the vocabulary and how a word becomes token ids.

The scheme is that of Sennrich et al. (https://arxiv.org/abs/1508.07909) over UTF-8 bytes. Ids are

    0 .. 255        a byte inside a word
    256 .. 511      the same byte at a word's end, written with ``</w>``
    512 .. 49405    the merges, in the order of their rank
    49406, 49407    ``<start_of_text>`` and ``<end_of_text>``

A merge's id grows with its rank, so the merge to apply next is the one with the lowest id.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from itertools import islice, pairwise

from zoo import data

END_OF_WORD = "</w>"
SPECIAL = ("<start_of_text>", "<end_of_text>")

_FILE = "bpe_simple_vocab_16e6.txt.gz"
_MERGES = 49_152 - 256 - 2  # the file lists more than CLIP was trained with
VOCAB_SIZE = 2 * 256 + _MERGES + len(SPECIAL)
START, END = VOCAB_SIZE - 2, VOCAB_SIZE - 1


@dataclass(frozen=True)
class Vocabulary:
    symbols: tuple[str, ...]  # id -> its bytes in the alphabet's characters
    merges: dict[tuple[int, int], int]  # neighbours -> the id they merge into
    byte_of: dict[str, int]  # character of the alphabet -> byte
    id_of_byte: tuple[int, ...]  # byte -> id inside a word


@cache
def vocabulary() -> Vocabulary:
    """CLIP's vocabulary, read once per process."""
    byte_of = _alphabet()
    inside = list(byte_of)
    symbols = inside + [character + END_OF_WORD for character in inside]
    id_of = {symbol: index for index, symbol in enumerate(symbols)}
    merges = {}
    lines = vocabulary_text().decode().splitlines()
    for line in islice(lines, 1, 1 + _MERGES):  # the first line names the format's version
        left, right = line.split()
        merges[id_of[left], id_of[right]] = id_of[left + right] = len(symbols)
        symbols.append(left + right)
    id_of_byte = {byte: index for index, byte in enumerate(byte_of.values())}
    return Vocabulary(
        symbols=(*symbols, *SPECIAL),
        merges=merges,
        byte_of=byte_of,
        id_of_byte=tuple(id_of_byte[byte] for byte in range(256)),
    )


def vocabulary_text() -> bytes:
    """The vocabulary file, unpacked."""
    return gzip.decompress(data.path(_FILE).read_bytes())


def encode_word(word: str) -> list[int]:
    """Token ids of one word, which is not empty: merge by rank until nothing merges."""
    vocab = vocabulary()
    ids = [vocab.id_of_byte[byte] for byte in word.encode()]
    ids[-1] += 256
    while len(ids) > 1:
        best = min(pairwise(ids), key=lambda pair: vocab.merges.get(pair, VOCAB_SIZE))
        if best not in vocab.merges:
            break
        ids = _merge(ids, best, vocab.merges[best])
    return ids


def decode_ids(ids: list[int]) -> str:
    """Text of token ids; bytes that are not UTF-8 become U+FFFD."""
    vocab = vocabulary()
    characters = "".join(vocab.symbols[index] for index in ids)
    raw = bytes(vocab.byte_of[character] for character in characters)
    return raw.decode(errors="replace").replace(END_OF_WORD, " ")


def _merge(ids: list[int], pair: tuple[int, int], merged: int) -> list[int]:
    """Replace every occurrence of the pair, from left to right and without overlap."""
    result: list[int] = []
    for index in ids:
        if result and (result[-1], index) == pair:
            result[-1] = merged
        else:
            result.append(index)
    return result


def _alphabet() -> dict[str, int]:
    """Character to byte, in the order of their ids.

    The vocabulary file writes each byte as one visible character: the visible ones of Latin-1 as
    themselves, the rest as the characters from U+0100 on.
    """
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {
        chr(0x100 + index): byte for index, byte in enumerate(hidden)
    }
