"""What the reference process can be asked: the contract between the two frameworks' processes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from zoo.errors import NotFoundError, UsageError

Precision = Literal["float32", "float16", "bfloat16"]
Rounding = Literal["keep", "float32", "float16", "bfloat16"]


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which weights: a folder that ``library`` reads, or a file and open_clip's architecture.

    ``dtype`` is what every parameter is rounded to before it is widened to float32 again;
    ``keep`` computes with the file's own values.
    """

    library: Literal["open_clip", "transformers"] = "open_clip"
    folder: str | None = None
    arch: str | None = None
    weights: str | None = None
    dtype: Rounding

    def __post_init__(self) -> None:
        if (self.folder is None) == (self.arch is None or self.weights is None):
            raise ValueError("either `folder` or `arch` with `weights` names the model")
        if self.library == "transformers" and self.folder is None:
            raise ValueError("transformers reads a folder")


class TapsRequest(ModelRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The towers on some inputs, layer by layer. Files in ``out``, one ``.npy`` per tensor::

        input.pixels                float32  [n, 3, height, width]
        input.tokens                int64    [m, length]
        {p}/visual.embed            [n, tokens, width]   what enters the first block
        {p}/visual.block.{i}        [n, tokens, width]   what leaves block i
        {p}/visual.features         [n, embed]           not normalised
        {p}/text.embed, {p}/text.block.{i}, {p}/text.features      likewise
        {p}/logits                  [n, m]   exp(logit_scale) * cosine

    ``p`` is ``f32``, and with ``float64`` also ``f64``: the same weights in double precision.
    Without ``taps``, embed and blocks are left out. A model of one tower has no logits, and of
    the inputs what the tower takes.
    """

    task: Literal["taps"] = "taps"
    out: str
    images: list[str]
    texts: list[str]
    float64: bool = True
    taps: bool = True


class PredictRequest(ModelRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Zero-shot classification. Files in ``out``::

        classifier                  float32  [embed, classes]  unit columns
        scores                      float32  [n, classes]      100 * cosine
        predictions                 int64    [n]               ties go to the lowest index

    Templates hold the class name's place as ``{}``. The pictures are files, or those of a data set
    (zoo.imagesets.recognise) without the places that are left out.
    """

    task: Literal["predict"]
    out: str
    images: list[str] = []
    data: str | None = None
    leave_out: list[int] = []
    classes: list[str]
    templates: list[str]


class EvaluateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Zero-shot classification by Paddle, of ``zoo.verify.predict``.

    Attributes:
        folder: a converted checkpoint.
        data: a data set, as zoo.imagesets.recognise takes it.
        out: the journal's folder (zoo.verify.journal).
        batch_size: pictures at a time.
        workers: processes that decode ahead; 0: none.
        precision: what the towers compute in; zoo.deploy.encoder says which.
    """

    folder: str
    data: str
    out: str
    batch_size: int
    workers: int
    precision: Precision = "float32"


class EncodeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Features of pictures and captions by Paddle, of ``zoo.verify.encode``.

    Attributes:
        folder: a converted checkpoint.
        data: a data set with captions, as zoo.imagesets.recognise takes it.
        out: the journal's folder (zoo.verify.journal).
        batch_size: pictures at a time.
        workers: processes that decode ahead; 0: none.
        precision: what the towers compute in.
    """

    folder: str
    data: str
    out: str
    batch_size: int
    workers: int
    precision: Precision = "float32"


def read_request(path: Path) -> TapsRequest | PredictRequest:
    """Reads a request; without ``task`` it asks for taps.

    Raises:
        NotFoundError: there is no such file.
        UsageError: the file is not JSON, or not a request.
    """
    try:
        raw = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
        if raw.get("task") == "predict":
            return msgspec.convert(raw, PredictRequest)
        return msgspec.convert(raw, TapsRequest)
    except FileNotFoundError as error:
        raise NotFoundError("the request is not there", where=path) from error
    except msgspec.MsgspecError as error:
        raise UsageError(f"not a request to the reference: {error}", where=path) from error
