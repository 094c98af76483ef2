"""The towers' values, layer by layer, as files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from zoo.verify.reference.double import double_precision
from zoo.verify.reference.libraries import torch
from zoo.verify.reference.model import environment, load
from zoo.verify.request import TapsRequest


@torch.no_grad()
def write_taps(request: TapsRequest, progress: Callable[[int, int], None]) -> None:
    """Answers the request; ``progress`` hears of each tensor written (done, of)."""
    out = Path(request.out)
    out.mkdir(parents=True, exist_ok=True)
    reference = load(request)
    inputs: dict[str, torch.Tensor] = {}
    if reference.preprocess is not None:
        inputs["pixels"] = torch.stack([reference.pixels(path) for path in request.images])
    if reference.tokenizer is not None:
        inputs["tokens"] = reference.tokenizer(request.texts)
    for name, tensor in inputs.items():
        np.save(out / f"input.{name}.npy", tensor.numpy())
    about = environment(request, reference)
    (out / "environment.json").write_text(json.dumps(about, indent=1) + "\n")

    precisions = {"f32": torch.float32, "f64": torch.float64}
    if not request.float64:
        del precisions["f64"]
    towers = reference.blocks if request.taps else {}
    inner = sum(len(blocks) + 1 for blocks in towers.values())
    ends = 3 if len(inputs) == 2 else 1  # two features and the logits, or one tower's features
    total = len(precisions) * (inner + ends)
    done = iter(range(1, total + 1))

    for precision, dtype in precisions.items():
        sink = _Sink(out / precision, dtype, lambda: progress(next(done), total))
        with ExitStack() as stack:
            if dtype == torch.float64:
                stack.enter_context(double_precision(reference))
            for tower, blocks in towers.items():
                stack.enter_context(_tapped(tower, blocks, sink))
            _run(reference.model, inputs, sink)


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


def _run(model: Any, inputs: Mapping[str, torch.Tensor], sink: _Sink) -> None:
    features = []
    if "pixels" in inputs:
        features.append(model.encode_image(inputs["pixels"].to(sink.dtype)))
        sink.write("visual.features", features[-1])
    if "tokens" in inputs:
        features.append(model.encode_text(inputs["tokens"]))
        sink.write("text.features", features[-1])
    if len(features) == 2:
        image, text = (torch.nn.functional.normalize(side, dim=-1) for side in features)
        sink.write("logits", model.logit_scale.exp() * image @ text.T)


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
