"""``python -m zoo.verify.encode REQUEST.json``: features of pictures and their captions.

The request is ``zoo.verify.request.EncodeRequest``. ``out`` gets ``images.npy`` and ``texts.npy``,
unit features float32 [n, E], and ``pictures.json``: each picture's digest and problem.

stdout and stderr are as in ``zoo.verify.predict``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import numpy as np

from zoo.errors import ConfigError, UsageError, ZooError
from zoo.imagesets.ahead import prepared
from zoo.imagesets.captions import CaptionSet
from zoo.imagesets.recognise import open_data
from zoo.inputs.tokenizer import Tokenizer
from zoo.runtime import import_paddle
from zoo.verify.predict import Report, environment, report
from zoo.verify.request import PICTURES, EncodeRequest


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
    """Answers the request.

    Raises:
        ConfigError: the model lacks a tower, or nothing says how its pictures are prepared.
        ZooError: what loading raises; Paddle not installed.
    """
    paddle = import_paddle(parity=True)  # before zoo.models, which would import it without
    from zoo.models.loading import load_checkpoint
    from zoo.models.zeroshot import encode_texts

    folder, out = Path(request.folder), Path(request.out)
    out.mkdir(parents=True, exist_ok=True)
    model = load_checkpoint(folder)
    if model.spec.vision is None or model.spec.text is None or model.spec.preprocess is None:
        raise ConfigError("retrieval needs both towers and the preprocessing", where=folder)
    of = len(pairs.pictures) + len(pairs.captions)
    # A caption that comes twice is encoded once, so that both are equal and not nearly so.
    texts, place = np.unique(np.array(pairs.captions, dtype=object), return_inverse=True)
    tokens = Tokenizer(model.spec.text.context_length)(texts.tolist())
    features = encode_texts(
        model, tokens, 8 * request.batch_size, lambda done, _: report(done, of, "captions")
    )
    np.save(out / "texts.npy", features[place])
    size = request.batch_size
    batches = [pairs.pictures[s : s + size] for s in range(0, len(pairs.pictures), size)]
    parts, digests, problems = [], [], []
    for ready in prepared(batches, model.spec.preprocess, workers=request.workers):
        if len(ready.pixels):
            with paddle.no_grad():
                parts.append(model.encode_image(ready.pixels, normalize=True).numpy())
        digests += ready.digests
        problems += ready.problems
        report(len(pairs.captions) + len(digests), of, "pictures")
    empty = np.empty((0, model.spec.embed_dim), np.float32)
    np.save(out / "images.npy", np.concatenate([empty, *parts]))
    (out / PICTURES).write_text(json.dumps({"digests": digests, "problems": problems}))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
