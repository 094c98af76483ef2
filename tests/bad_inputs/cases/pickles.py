"""Pickles: what torch.save and paddle.save write, and what an attacker would."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

from tests.bad_inputs.case import Case
from tests.bad_inputs.checkpoint import (
    BIN,
    Canary,
    Opcodes,
    archive,
    call,
    good,
    named,
    opcodes,
    pickled,
    tensors,
    torch_legacy,
    torch_zip,
    with_file,
)

TITLE = "Pickles (`.bin`, `.pt`, `.pdparams`)"

REFUSED = ("no tensor needs; nothing was run", "Ask its author for safetensors")


def _canary(at: Path, name: str, *, protocol: int = 2, zipped: bool = False) -> None:
    """A file that would leave another beside it, if anything in it were called."""
    program = pickle.dumps(Canary(at / "canary"), protocol)
    content = archive({"archive/data.pkl": program}) if zipped else program
    good(at / "in", weights=content, name=name)


def _trainer(state: dict[str, Any]) -> object:
    arguments = call(named("argparse", "Namespace"))
    return {"epoch": 3, "args": arguments, "state_dict": state, "optimizer": {"state": {}}}


def _flagged() -> bytes:
    """An archive whose directory says that its pickle is encrypted."""
    content = bytearray(torch_zip(tensors()))
    flags = content.index(b"PK\x01\x02") + 8
    content[flags] |= 1
    return bytes(content)


def _reaching() -> bytes:
    """A tensor that claims more elements than its storage has."""
    storage = opcodes(("storage", named("torch", "FloatStorage"), "0", "cpu", 4)) + b"Q"
    tensor = call(
        named("torch._utils", "_rebuild_tensor_v2"),
        *(Opcodes(storage), 0, (1 << 40,), (1,), False, None),
    )
    return archive({"archive/data.pkl": pickled({"a": tensor}), "archive/data/0": bytes(16)})


def _in_place(name: str) -> tuple[str, ...]:
    return ("convert", f"{{at}}/in/{name}", "--out", "{at}/out", "--force")


CASES = {
    "malicious-legacy": Case(
        input="a malicious `.bin` (a bare pickle)",
        make=lambda at: _canary(at, BIN),
        code=4,
        name="FORMAT",
        says=REFUSED,
    ),
    "malicious-zip": Case(
        input="a malicious `.bin` (a zip archive)",
        make=lambda at: _canary(at, BIN, zipped=True),
        code=4,
        name="FORMAT",
        says=REFUSED,
    ),
    "malicious-renamed": Case(
        input="a malicious pickle named `.safetensors`",
        make=lambda at: _canary(at, "open_clip_model.safetensors"),
        code=4,
        name="FORMAT",
        says=REFUSED,
    ),
    "malicious-protocol-4": Case(
        input="a malicious pickle of protocol 4, which names its globals another way",
        make=lambda at: _canary(at, BIN, protocol=4, zipped=True),
        code=4,
        name="FORMAT",
        says=REFUSED,
    ),
    "malicious-protocol-0": Case(
        input="a malicious pickle of protocol 0",
        make=lambda at: _canary(at, BIN, protocol=0),
        code=4,
        name="FORMAT",
        says=("a pickle of protocol 0",),
    ),
    "malicious-pdparams": Case(
        input="a malicious `.pdparams`, which `paddle.load` would run",
        make=lambda at: _canary(at, "model_state.pdparams"),
        command=_in_place("model_state.pdparams"),
        code=4,
        name="FORMAT",
        says=("nothing was run",),
    ),
    "malicious-diff": Case(
        input="a malicious `.bin` given to `zoo diff`",
        make=lambda at: _canary(at, BIN),
        command=("diff", "{at}/in", "{at}/in"),
        code=4,
        name="FORMAT",
        says=REFUSED,
    ),
    "trainer": Case(
        input="a training checkpoint: a state dict beside optimizer and arguments",
        make=with_file(lambda: torch_zip(tensors(), _trainer), BIN),
        code=0,
        says=("left out: 'epoch', 'args', 'optimizer'",),
    ),
    "legacy": Case(
        input="a file of torch before 1.6",
        make=with_file(lambda: torch_legacy(tensors()), BIN),
        code=0,
    ),
    "compressed": Case(
        input="a zip archive whose records are compressed",
        make=with_file(lambda: torch_zip(tensors(), compression=zipfile.ZIP_DEFLATED), BIN),
        code=4,
        name="FORMAT",
        says=("compressed or encrypted", "save the tensors again"),
    ),
    "corrupt-flags": Case(
        input="a zip archive whose flags were changed, which some scanners skip",
        make=with_file(_flagged, BIN),
        code=4,
        name="FORMAT",
        says=("compressed or encrypted",),
    ),
    "zip-cut": Case(
        input="a zip archive cut short",
        make=with_file(lambda: torch_zip(tensors())[:-1000], BIN),
        code=4,
        name="TRUNCATED",
        says=("directory", "is missing", "Download it again"),
    ),
    "torchscript": Case(
        input="a TorchScript archive",
        make=with_file(
            archive({"m/data.pkl": pickled({}), "m/constants.pkl": pickled(())}), "model.pt"
        ),
        code=4,
        name="FORMAT",
        says=("TorchScript",),
    ),
    "whole-module": Case(
        input="a whole module instead of its state dict",
        make=with_file(
            archive({"m/data.pkl": pickled(call(named("open_clip.model", "CLIP")))}), BIN
        ),
        code=4,
        name="FORMAT",
        says=("'open_clip.model.CLIP'", *REFUSED),
    ),
    "no-state-dict": Case(
        input="a pickle of something else",
        make=with_file(archive({"m/data.pkl": pickled("hello")}), BIN),
        code=4,
        name="FORMAT",
        says=("no dict of tensors", "state_dict()"),
    ),
    "endless-text": Case(
        input="a pickle that claims a text of 2^62 bytes",
        make=with_file(archive({"m/data.pkl": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62)}), BIN),
        code=4,
        name="TRUNCATED",
        says=("the pickle ends at byte 11 and needs at least",),
    ),
    "beyond-storage": Case(
        input="a tensor of 2^40 elements on a storage of 4",
        make=with_file(_reaching, BIN),
        code=4,
        name="FORMAT",
        says=("tensor 'a' reaches beyond its storage",),
    ),
}
