"""``python -m zoo.verify.encode REQUEST.json``: features of pictures and their captions.

The request is ``zoo.verify.request.EncodeRequest``; the answer is the journal's ``features.jsonl``
(zoo.verify.journal) and ``texts.npy``, the captions' unit features, float32 [n, E].

stdout and stderr are as in ``zoo.verify.predict``.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from zoo import cache
from zoo.convert import provenance
from zoo.deploy.encoder import Encoder, open_encoder
from zoo.errors import ConfigError
from zoo.files import canonical_json
from zoo.imagesets.ahead import Prepared, prepared
from zoo.imagesets.captions import CaptionSet
from zoo.imagesets.collection import Collection
from zoo.imagesets.imageset import Picture
from zoo.imagesets.recognise import open_data
from zoo.inputs.tokenizer import Tokenizer
from zoo.spec import PreprocessSpec, native
from zoo.talk import Within
from zoo.verify.journal import Journal
from zoo.verify.predict import Report, Say, computed_by, environment, report
from zoo.verify.process import answer, say
from zoo.verify.request import EncodeRequest
from zoo.verify.retrieval import TEXTS, Features
from zoo.verify.stored import stored


def main(arguments: list[str]) -> int:
    def work(request: EncodeRequest) -> dict[str, Any]:
        pairs = open_data(request.data)
        assert isinstance(pairs, CaptionSet)
        encode(request, pairs, report, say)
        return environment()

    return answer(arguments, EncodeRequest, work)


def encode(
    request: EncodeRequest,
    pairs: CaptionSet | Collection,
    report: Report,
    say: Say = lambda text: None,
) -> None:
    """Encodes pictures and captions; goes on where an earlier run of the same was killed.

    Args:
        request: what is asked.
        pairs: its data, opened.
        report: progress.
        say: hears what there is to say beside it.

    Raises:
        ConfigError: the model lacks a tower, or nothing says how its pictures are prepared.
        DatasetError: the data set has changed since the killed run.
        ZooError: what loading raises; Paddle not installed.
    """
    started = time.monotonic()
    folder, out = Path(request.folder), Path(request.out)
    spec = native.read(folder / native.CONFIG_NAME)
    if pairs.pictures and (spec.vision is None or spec.preprocess is None):
        raise ConfigError("pictures need an image tower and its preprocessing", where=folder)
    if pairs.captions and spec.text is None:
        raise ConfigError("texts need a text tower", where=folder)
    captions, of = len(pairs.captions), len(pairs.captions) + len(pairs.pictures)
    talk = Within(say, lambda note: report(0, of, note))
    encoder = open_encoder(folder, request.precision, talk)
    journal = Journal(out, pairs, request.batch_size, Features)
    texts = encode_captions(encoder, request, pairs, lambda done, _: report(done, of, "captions"))
    todo = journal.batches()
    done = captions + len(journal.kept)
    made: list[Features] = []
    for (number, batch), inputs in _ready(todo, spec.preprocess, request.workers):
        features = np.empty((0, spec.embed_dim), np.float32)
        if len(inputs.pixels):
            features = encoder.encode_image(inputs.pixels)
        found = iter(features)
        rows = [
            Features(
                place=number * request.batch_size + place,
                image=picture.name,
                sha256=inputs.digests[place],
                problem=inputs.problems[place],
                feature=None if inputs.problems[place] else next(found).tobytes(),
            )
            for place, picture in enumerate(batch)
        ]
        journal.add(rows, 0)
        made += rows
        report(done + len(made), of, "pictures")
    np.save(out / TEXTS, texts)
    timing = {"seconds": time.monotonic() - started, "images": len(made)}
    journal.finish([*journal.kept, *made], {**timing, **computed_by(encoder, request, pairs)})


def _ready(
    batches: Mapping[int, Sequence[Picture]], preprocess: PreprocessSpec | None, workers: int
) -> Iterator[tuple[tuple[int, Sequence[Picture]], Prepared]]:
    if batches:  # else the model need not have an image tower
        assert preprocess is not None
        ready = prepared(batches.values(), preprocess, workers=workers)
        yield from zip(batches.items(), ready, strict=True)


def encode_captions(
    encoder: Encoder,
    request: EncodeRequest,
    pairs: CaptionSet | Collection,
    progress: Callable[[int, int], None],
) -> NDArray[np.float32]:
    """Unit features of the captions, [n, E], from the cache where they were made before."""
    from zoo.models.zeroshot import encode_texts

    spec = encoder.spec
    if not pairs.captions:
        return np.empty((0, spec.embed_dim), np.float32)
    assert spec.text is not None
    # A caption that comes twice is encoded once, so that both are equal and not nearly so.
    texts, place = np.unique(np.array(pairs.captions, dtype=object), return_inverse=True)
    tokenizer = Tokenizer(spec.text.context_length)
    made_of = {
        "tensors": provenance.read(Path(request.folder)).tensors_digest,
        "captions": hashlib.sha256(canonical_json(texts.tolist())).hexdigest(),
        "tokenizer": tokenizer.digest,
        "text": msgspec.to_builtins(spec.text),  # the tensors don't tell the activation
        "batch size": request.batch_size,
        "path": encoder.path["text"],
    }

    def make() -> NDArray[np.float32]:
        tokens = tokenizer(texts.tolist())
        size = 8 * request.batch_size
        return encode_texts(encoder.encode_text, tokens, spec.embed_dim, size, progress)

    return stored(cache.CAPTIONS, made_of, make, lambda _: progress(0, 1))[place]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
