"""The data path of train/ alone: pictures read, decoded, cropped, and put into batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.contestants.serve import Works
from zoo.runtime import import_paddle


def prepare(architecture: str, annotations: str, batch: int, workers: int) -> Works:
    import_paddle()
    from train.data.order import BatchOrder
    from train.data.pairs import read_json
    from train.data.samples import Inputs, PairDataset, load
    from zoo.inputs.preprocess import Preprocess
    from zoo.inputs.tokenizer import Tokenizer
    from zoo.manifest import registry

    spec = registry().architecture(architecture)
    assert spec.preprocess is not None and spec.text is not None
    path = Path(annotations)
    pairs = read_json(path, path.parent)
    preprocess, tokenizer = Preprocess(spec.preprocess), Tokenizer(spec.text.context_length)
    dataset = PairDataset(pairs, Inputs(preprocess=preprocess, tokenizer=tokenizer, seed=0))

    def read(given: Any) -> Any:
        steps = len(pairs) // batch
        order = BatchOrder(len(pairs), batch=batch, rank=0, ranks=1, seed=0, steps=steps)
        return sum(len(pixels) for pixels, *_ in load(dataset, order, workers=workers))

    return {"read": read}
