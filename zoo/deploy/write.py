"""``python -m zoo.deploy.write REQUEST.json``: a converted checkpoint's towers as programs.

The request is ``zoo.deploy.request.WriteRequest``; ``out`` gets ``image.*``, ``text.*`` and
``inference.json`` of ``zoo.deploy.folder``. stdout and stderr are as in ``zoo.verify.process``.
"""

from __future__ import annotations

import filecmp
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.deploy.folder import RECORD_NAME, WEIGHTS, Program, declare, encode
from zoo.deploy.request import WriteRequest
from zoo.errors import CheckError, as_zoo_error
from zoo.runtime import import_paddle
from zoo.verify.process import answer, tell

if TYPE_CHECKING:
    from zoo.models.block import Transformer
    from zoo.models.clip import CLIP
    from zoo.models.text import TextTower
    from zoo.models.vit import VisionTower


def write(request: WriteRequest) -> dict[str, Any]:
    """Answers the request.

    Raises:
        ZooError: what loading raises; Paddle not installed; the disk is full.
    """
    paddle = import_paddle(parity=True)  # before zoo.models, which would import it without
    from zoo.models.loading import load_checkpoint

    model, out = load_checkpoint(Path(request.folder), device="cpu"), Path(request.out)
    spec = model.spec
    scale = model.logit_scale.item() if spec.vision and spec.text else None
    record = declare(spec, paddle=paddle.__version__, logit_scale=scale)
    for transformer in _transformers(model):
        _fold_quick_gelu(transformer)
    # Through oneDNN first: the others' blocks are changed for good.
    towers = (
        (record.image_bfloat16, lambda: model.visual),
        (record.image, lambda: model.visual),
        (record.text, lambda: _text_tower(model)),
    )
    try:
        for done, (program, tower) in enumerate(towers, start=1):
            if program is not None:
                _save(tower(), out, program)
                tell("write", done, len(towers), program.input)
        if record.image_bfloat16 is not None:
            _share_weights(out, record.image_bfloat16)
        (out / RECORD_NAME).write_bytes(encode(record))
    except OSError as error:
        raise as_zoo_error(error, out) from error
    return {"version": paddle.__version__, "commit": paddle.version.commit}


def _transformers(model: CLIP) -> list[Transformer]:
    spec = model.spec
    return [
        *([model.visual.transformer] if spec.vision else []),
        *([model.transformer] if spec.text else []),
    ]


def _fold_quick_gelu(transformer: Transformer) -> None:
    """Takes quick_gelu's factor into the weights around it.

    x * sigmoid(c x) = swish(c x) / c, so c goes into the layer before and 1 / c into the one
    behind: three passes over the MLP's values less, since oneDNN takes swish into the product. Each
    weight is rounded once more, which the gate judges with the rest.
    """
    import paddle.nn.functional as F

    from zoo.models.block import QUICK, quick_gelu

    for block in transformer.resblocks:
        mlp = block.mlp
        if mlp.activation is quick_gelu:
            for parameter, factor in (
                (mlp.c_fc.weight, QUICK),
                (mlp.c_fc.bias, QUICK),
                (mlp.c_proj.weight, 1 / QUICK),
            ):
                scaled = parameter.numpy().astype(np.float64) * factor
                parameter.set_value(scaled.astype(np.float32))
            mlp.activation = F.swish


def _save(tower: VisionTower | TextTower, out: Path, program: Program) -> None:
    import paddle

    from zoo.models.products import RowTransformer

    if program.products == "paddle":
        tower.transformer = RowTransformer(tower.transformer)
    taken = paddle.static.InputSpec(list(program.shape), program.dtype, program.input)
    paddle.jit.save(tower, str(out / Path(program.program).stem), input_spec=[taken])


def _share_weights(out: Path, program: Program) -> None:
    """Removes the weights that a second program of a tower was written with: it takes the first
    one's, which are the same.
    """
    spare, kept = (out / program.program).with_suffix(WEIGHTS), out / program.weights
    if not filecmp.cmp(spare, kept, shallow=False):
        raise CheckError(f"{spare.name} and {kept.name} should be equal, and are not", where=out)
    spare.unlink()


def _text_tower(model: CLIP) -> TextTower:
    """The text tower without the image tower that lies beside it, on the same parameters."""
    import paddle

    from zoo.models.text import TextTower

    with paddle.LazyGuard():
        tower = TextTower(model.spec.text, model.spec.embed_dim)
    for name, _ in [*tower.named_children(), *tower.named_parameters(include_sublayers=False)]:
        setattr(tower, name, getattr(model, name))
    tower.causal_mask = model.causal_mask
    tower.eval()
    return tower


if __name__ == "__main__":
    sys.exit(answer(sys.argv[1:], WriteRequest, write))
