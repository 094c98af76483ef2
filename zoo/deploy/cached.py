"""Programs in the cache: written once for each checkpoint, version of Paddle and version of zoo."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from zoo import cache
from zoo.convert import provenance
from zoo.deploy.folder import CONFIG_NAME, holds_programs
from zoo.deploy.run import code_digest, write_programs
from zoo.errors import missing_library
from zoo.files import canonical_json, new_folder
from zoo.locks import locked
from zoo.spec import native
from zoo.talk import Talk

PADDLES = ("paddlepaddle", "paddlepaddle-gpu")


def programs_for(folder: Path, talk: Talk) -> Path:
    """The folder of a checkpoint's programs, written now where they are not yet.

    Args:
        folder: a converted checkpoint.
        talk: progress.

    Raises:
        NotFoundError: the folder has no provenance; Paddle is not installed.
        LockError, DiskError, AccessError: the cache can't be written.
        ProcessError: writing them failed.
    """
    record = provenance.read(folder)
    made_of = {
        "tensors": record.tensors_digest,
        "spec": msgspec.to_builtins(native.read(folder / CONFIG_NAME)),
        "paddle": _paddle(),
        "code": code_digest(),
    }
    digest = hashlib.sha256(canonical_json(made_of)).hexdigest()
    out = cache.home() / cache.PROGRAMS / record.id / digest[:12]
    if holds_programs(out):  # else a run that reads them would be waited for
        return out
    with locked(out, talk.say):
        if not holds_programs(out):  # written by the process that was waited for
            talk.say(f"{record.id}: writing programs of Paddle Inference; later runs find them")
            with new_folder(out, replace=True) as partial:
                write_programs(folder, partial, talk)
    return out


def _paddle() -> str:
    for name in PADDLES:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    raise missing_library("paddle", "cpu", "running a model")
