"""``python -m zoo.verify.encode REQUEST.json``: features of pictures and their captions.

The request is ``zoo.verify.request.EncodeRequest``; the answer is the journal's ``features.jsonl``
(zoo.verify.journal) and ``texts.npy``, the captions' unit features, float32 [n, E].

stdout and stderr are as in ``zoo.verify.predict``.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from zoo.convert import provenance
from zoo.errors import ConfigError, UsageError, ZooError
from zoo.files import canonical_json
from zoo.imagesets.ahead import prepared
from zoo.imagesets.captions import CaptionSet
from zoo.imagesets.recognise import open_data
from zoo.inputs.tokenizer import Tokenizer
from zoo.runtime import import_paddle
from zoo.verify.journal import Journal
from zoo.verify.predict import Report, environment, report
from zoo.verify.request import EncodeRequest
from zoo.verify.retrieval import TEXTS, Features
from zoo.verify.stored import stored

if TYPE_CHECKING:
    from zoo.models.clip import CLIP


def main(arguments: list[str]) -> int:
    try:
        if len(arguments) != 1:
            raise UsageError("one argument is expected: the request's path")
        request = msgspec.json.decode(Path(arguments[0]).read_bytes(), type=EncodeRequest)
        pairs = open_data(request.data)
        assert isinstance(pairs, CaptionSet)
        encode(request, pairs, report)
        print(json.dumps({"environment": environment()}), flush=True)
    except ZooError as error:
        print(f"zoo: {error.name}: " + str(error).replace("\n", ". "), file=sys.stderr)
        return error.exit_code
    return 0


def encode(request: EncodeRequest, pairs: CaptionSet, report: Report) -> None:
    """Answers the request; goes on where an earlier run of the same was killed.

    Raises:
        ConfigError: the model lacks a tower, or nothing says how its pictures are prepared.
        DatasetError: the data set has changed since the killed run.
        ZooError: what loading raises; Paddle not installed.
    """
    started = time.monotonic()
    paddle = import_paddle(parity=True)  # before zoo.models, which would import it without
    from zoo.models.loading import load_checkpoint

    folder, out = Path(request.folder), Path(request.out)
    model = load_checkpoint(folder)
    if model.spec.vision is None or model.spec.text is None or model.spec.preprocess is None:
        raise ConfigError("retrieval needs both towers and the preprocessing", where=folder)
    journal = Journal(out, pairs, request.batch_size, Features)
    captions, of = len(pairs.captions), len(pairs.captions) + len(pairs.pictures)
    texts = encode_captions(model, request, pairs, lambda done, _: report(done, of, "captions"))
    todo = journal.batches()
    done = captions + len(journal.kept)
    made: list[Features] = []
    ready = prepared(todo.values(), model.spec.preprocess, workers=request.workers)
    for (number, batch), inputs in zip(todo.items(), ready, strict=True):
        features = np.empty((0, model.spec.embed_dim), np.float32)
        if len(inputs.pixels):
            with paddle.no_grad():
                features = model.encode_image(inputs.pixels, normalize=True).numpy()
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
    journal.finish([*journal.kept, *made], timing)


def encode_captions(
    model: CLIP, request: EncodeRequest, pairs: CaptionSet, progress: Callable[[int, int], None]
) -> NDArray[np.float32]:
    """Unit features of the captions, [n, E], from the cache where they were made before."""
    from zoo.models.zeroshot import encode_texts

    assert model.spec.text is not None
    # A caption that comes twice is encoded once, so that both are equal and not nearly so.
    texts, place = np.unique(np.array(pairs.captions, dtype=object), return_inverse=True)
    tokenizer = Tokenizer(model.spec.text.context_length)
    made_of = {
        "tensors": provenance.read(Path(request.folder)).tensors_digest,
        "captions": hashlib.sha256(canonical_json(texts.tolist())).hexdigest(),
        "tokenizer": tokenizer.digest,
        "context": model.spec.text.context_length,
        "batch size": request.batch_size,
    }

    def make() -> NDArray[np.float32]:
        tokens = tokenizer(texts.tolist())
        return encode_texts(model, tokens, 8 * request.batch_size, progress)

    return stored("captions", made_of, make, lambda _: progress(0, 1))[place]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
