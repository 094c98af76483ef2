"""What the processes of the deployed form can be asked."""

from __future__ import annotations

import msgspec

from zoo.verify.request import Precision


class WriteRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Programs, of ``zoo.deploy.write``.

    Attributes:
        folder: a converted checkpoint.
        out: a folder that is there.
    """

    folder: str
    out: str


class ComputeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Features on the probe, of ``zoo.deploy.compute``.

    Attributes:
        programs: a folder of programs.
        inputs: a folder with ``input.pixels.npy``, float32 [n, 3, height, width], and
            ``input.tokens.npy``, int64 [m, L].
        out: a folder to make.
    """

    programs: str
    inputs: str
    out: str


class EmbedRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Embeddings, of ``zoo.deploy.embed``.

    Attributes:
        folder: a converted checkpoint, or programs of one.
        images: as ``open_collection`` has it; None: no pictures.
        texts: likewise.
        out: the journal's folder (zoo.verify.journal).
        batch_size: pictures at a time.
        workers: processes that decode ahead; 0: none.
        precision: what the image tower computes in.
    """

    folder: str
    images: str | None
    texts: str | None
    out: str
    batch_size: int
    workers: int
    precision: Precision
