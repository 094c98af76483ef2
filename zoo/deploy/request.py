"""What the processes of the deployed form can be asked."""

from __future__ import annotations

import msgspec


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
