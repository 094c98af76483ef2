"""Both towers' values, layer by layer, as files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from zoo.verify.reference.double import double_precision
from zoo.verify.reference.libraries import torch
from zoo.verify.reference.model import Reference, environment, load
from zoo.verify.request import TapsRequest


@torch.no_grad()
def write_taps(request: TapsRequest, progress: Callable[[int, int], None]) -> None:
    """Answers the request; ``progress`` hears of each tensor written (done, of)."""
    out = Path(request.out)
    out.mkdir(parents=True, exist_ok=True)
    reference = load(request)
    pixels = torch.stack([reference.pixels(path) for path in request.images])
    tokens = reference.tokenizer(request.texts)
    np.save(out / "input.pixels.npy", pixels.numpy())
    np.save(out / "input.tokens.npy", tokens.numpy())
    (out / "environment.json").write_text(json.dumps(environment(reference), indent=1) + "\n")

    precisions = {"f32": torch.float32, "f64": torch.float64}
    if not request.float64:
        del precisions["f64"]
    transformers = reference.transformers if request.taps else {}
    inner = sum(len(transformer.resblocks) + 1 for transformer in transformers.values())
    total = len(precisions) * (inner + 3)  # two features and the logits
    done = iter(range(1, total + 1))

    for precision, dtype in precisions.items():
        sink = _Sink(out / precision, dtype, lambda: progress(next(done), total))
        with ExitStack() as stack:
            if dtype == torch.float64:
                stack.enter_context(double_precision(reference))
            for tower, transformer in transformers.items():
                stack.enter_context(_tapped(tower, transformer.resblocks, sink))
            _run(reference, pixels.to(dtype), tokens, sink)


class _Sink:
    """Where the tensors of one precision go."""

    def __init__(self, folder: Path, dtype: torch.dtype, advance: Callable[[], None]) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.dtype, self.advance = folder, dtype, advance

    def write(self, name: str, tensor: torch.Tensor) -> None:
        # A float64 value that came through float32 is no better than what it is to judge.
        assert tensor.dtype == self.dtype, (name, tensor.dtype)
        np.save(self.folder / f"{name}.npy", tensor.numpy())
        self.advance()


def _run(reference: Reference, pixels: torch.Tensor, tokens: torch.Tensor, sink: _Sink) -> None:
    model, normalize = reference.model, torch.nn.functional.normalize
    image = model.encode_image(pixels)
    sink.write("visual.features", image)
    text = model.encode_text(tokens)
    sink.write("text.features", text)
    scale = model.logit_scale.exp()
    sink.write("logits", scale * normalize(image, dim=-1) @ normalize(text, dim=-1).T)


@contextmanager
def _tapped(tower: str, blocks: Sequence[torch.nn.Module], sink: _Sink) -> Iterator[None]:
    """Within, what enters the first block and what leaves each of them is written."""
    with ExitStack() as stack:
        enter = blocks[0].register_forward_pre_hook(
            lambda _, inputs: sink.write(f"{tower}.embed", inputs[0])
        )
        stack.callback(enter.remove)
        for i, block in enumerate(blocks):
            leave = block.register_forward_hook(
                lambda _, __, output, name=f"{tower}.block.{i}": sink.write(name, output)
            )
            stack.callback(leave.remove)
        yield
