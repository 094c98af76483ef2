"""``python -m zoo.verify.subject REQUEST.json``: what Paddle computes, layer by layer.

The request is a JSON object::

    folder    a converted checkpoint
    inputs    a folder with input.pixels.npy, float32 [n, 3, height, width], and input.tokens.npy,
              int64 [m, L]
    out       a folder to make; one float32 .npy for each tensor goes there
    control   null, or the mistake to make: a key of CONTROLS

``out`` gets ``visual.embed`` and ``visual.block.{i}`` [n, tokens, width], ``visual.features``
[n, E], not normalised, the same of ``text``, and ``logits`` [n, m] = exp(logit_scale) * cosine.

stdout: JSON lines ``{"stage": "subject", "done": i, "of": n}``, then ``{"environment": {...}}``. A
failure that the user can act on is one line on stderr, ``zoo: NAME: what``, and its exit code.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import UsageError, ZooError
from zoo.runtime import import_paddle, prepare
from zoo.spec import CLIPSpec, native
from zoo.verify.environment import describe

if TYPE_CHECKING:
    from paddle import Tensor

    from zoo.models.block import Transformer
    from zoo.models.clip import CLIP

Write = Callable[[str, "Tensor"], None]


def main(arguments: list[str]) -> int:
    try:
        if len(arguments) != 1:
            raise UsageError("one argument is expected: the request's path")
        request = json.loads(Path(arguments[0]).read_text())
        environment = write_taps(
            folder=Path(request["folder"]),
            inputs=Path(request["inputs"]),
            out=Path(request["out"]),
            control=request["control"],
        )
        print(json.dumps({"environment": environment}), flush=True)
    except ZooError as error:
        print(f"zoo: {error.name}: " + str(error).replace("\n", ". "), file=sys.stderr)
        return error.exit_code
    return 0


def write_taps(*, folder: Path, inputs: Path, out: Path, control: str | None) -> dict[str, Any]:
    """Answers the request, and tells what the answer depends on beside it.

    Raises:
        UsageError: there is no such control.
        ZooError: what loading raises; Paddle not installed.
    """
    if control is not None and control not in CONTROLS:
        raise UsageError(f"{control} is none of {', '.join(CONTROLS)}")
    paddle = import_paddle(parity=True)  # before zoo.models, which would import it without
    from zoo.models.loading import load_checkpoint

    alter_spec, alter_model = CONTROLS[control] if control else (_honest, _honest)
    spec = alter_spec(native.read(folder / native.CONFIG_NAME))
    model = load_checkpoint(folder, spec=spec)
    alter_model(model)

    out.mkdir(parents=True, exist_ok=True)
    blocks = sum(tower.layers for tower in (spec.vision, spec.text) if tower)
    done = 0

    def write(name: str, tensor: Tensor) -> None:
        nonlocal done
        np.save(out / f"{name}.npy", tensor.numpy())
        if ".block." in name:
            done += 1
            print(json.dumps({"stage": "subject", "done": done, "of": blocks}), flush=True)

    with paddle.no_grad():
        _run(model, inputs, write)
    return {
        **describe(),
        "paddle": {"version": paddle.__version__, "commit": paddle.version.commit},
        "runtime": asdict(prepare()),
    }


def _run(model: CLIP, inputs: Path, write: Write) -> None:
    import paddle
    import paddle.nn.functional as F

    from zoo.models.text import TextTower

    features = {}
    if model.spec.vision is not None:
        pixels = paddle.to_tensor(np.load(inputs / "input.pixels.npy"))
        with _tapped("visual", model.visual.transformer, write):
            features["visual"] = model.visual(pixels)
    if model.spec.text is not None:
        tokens = paddle.to_tensor(np.load(inputs / "input.tokens.npy"))
        with _tapped("text", model.transformer, write):
            # Not encode_text, which cuts what the reference does not.
            features["text"] = TextTower.forward(model, tokens)
    for tower, tensor in features.items():
        write(f"{tower}.features", tensor)
    if len(features) == 2:
        image, text = F.normalize(features["visual"]), F.normalize(features["text"])
        write("logits", model.logit_scale.exp() * image @ text.T)


@contextmanager
def _tapped(tower: str, transformer: Transformer, write: Write) -> Iterator[None]:
    """Within, what enters the first block and what leaves each of them is written.

    The last one computes for the token that counts alone; what it makes of all is written.
    """
    *before, last = transformer.resblocks
    with ExitStack() as stack:
        enter = transformer.resblocks[0].register_forward_pre_hook(
            lambda _, inputs: write(f"{tower}.embed", inputs[0])
        )
        stack.callback(enter.remove)
        for index, block in enumerate(before):
            leave = block.register_forward_post_hook(
                lambda _, __, output, name=f"{tower}.block.{index}": write(name, output)
            )
            stack.callback(leave.remove)
        whole = last.register_forward_pre_hook(
            lambda block, inputs: write(f"{tower}.block.{len(before)}", block.forward(*inputs[:2]))
        )
        stack.callback(whole.remove)
        yield


def _honest(subject: Any) -> Any:
    return subject


def _other_activation(spec: CLIPSpec) -> CLIPSpec:
    """quick_gelu for gelu, or gelu for quick_gelu."""
    return _alter_towers(
        spec,
        lambda tower: replace(
            tower, activation="gelu" if tower.activation == "quick_gelu" else "quick_gelu"
        ),
    )


def _smaller_epsilon(spec: CLIPSpec) -> CLIPSpec:
    """1e-6 for 1e-5."""
    return _alter_towers(spec, lambda tower: replace(tower, norm_eps=tower.norm_eps / 10))


def _alter_towers(spec: CLIPSpec, alter: Callable[[Any], Any]) -> CLIPSpec:
    return replace(
        spec,
        vision=alter(spec.vision) if spec.vision else None,
        text=alter(spec.text) if spec.text else None,
    )


def _leave_out_transpose(model: CLIP) -> None:
    """Attention's weights as torch has them, [out, in], in the first block of each tower."""
    for transformer in _transformers(model):
        attention = transformer.resblocks[0].attn
        for linear in attention.sublayers():
            linear.weight.set_value(linear.weight.numpy().T.copy())


def _swap_queries_and_keys(model: CLIP) -> None:
    for transformer in _transformers(model):
        for block in transformer.resblocks:
            attention = block.attn
            attention.q_proj, attention.k_proj = attention.k_proj, attention.q_proj


def _transformers(model: CLIP) -> list[Transformer]:
    return [
        *([model.visual.transformer] if model.spec.vision else []),
        *([model.transformer] if model.spec.text else []),
    ]


CONTROLS: Mapping[str, tuple[Callable[[CLIPSpec], CLIPSpec], Callable[[CLIP], None]]] = {
    "transpose": (_honest, _leave_out_transpose),
    "swap-qk": (_honest, _swap_queries_and_keys),
    "activation": (_other_activation, _honest),
    "eps": (_smaller_epsilon, _honest),
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
