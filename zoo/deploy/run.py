"""Exporting the deployed form: the story on one screen."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import msgspec

from zoo.cache import reading
from zoo.convert.export.folder import (
    check_places,
    check_sources,
    file_records,
    record_of,
    seal_export,
)
from zoo.convert.native import open_native
from zoo.convert.readers import TensorInfo
from zoo.deploy.folder import CONFIG_NAME, README_NAME, declare
from zoo.deploy.gate import judge
from zoo.deploy.request import WriteRequest
from zoo.errors import CheckError, ConfigError
from zoo.files import check_space, new_folder, pretty_json
from zoo.locks import locked
from zoo.spec import CLIPSpec, native
from zoo.talk import Talk, shown_size
from zoo.verify.outcome import Outcome
from zoo.verify.process import run_child

PARITY_NAME = "parity.json"
_README = Path(__file__).with_name("readme.md")
_ZOO = Path(__file__).parent.parent
WIDEST = 4  # bytes of a float32: programs hold no other


def export_programs(
    folder: Path, out: Path, *, force: bool, command: tuple[str, ...], talk: Talk
) -> Outcome:
    """Writes a checkpoint's towers for Paddle Inference, and judges what they compute.

    Args:
        folder: a converted checkpoint.
        out: the folder that will appear, whole, or not at all.
        force: replace what is at ``out``.
        command: what the user typed, for the record.
        talk: progress.

    Returns:
        What the gate says: passed, or not run for want of a reference.

    Raises:
        CheckError: the programs do not compute what the reference computes; nothing is left.
        NotFoundError: the folder is no converted checkpoint, or Paddle is not installed.
        ConfigError: nothing says how pictures are prepared.
        DigestError: the checkpoint is not the one that was written.
        PathError, DiskError, AccessError: the output can't be written there.
        ProcessError: a process failed.
    """
    check_places(folder, out, replace=force)
    spec = native.read(folder / CONFIG_NAME)
    if spec.vision is not None and spec.preprocess is None:
        raise ConfigError("nothing says how pictures are prepared for this model", where=folder)
    with ExitStack() as stack:
        stack.enter_context(reading(folder, talk.say))
        checkpoint = stack.enter_context(open_native(folder))
        record = record_of(folder)
        need = sum(WIDEST * math.prod(info.shape) for info in checkpoint.tensors.values())
        talk.say(f"{out.name}: programs of Paddle Inference, {shown_size(need)}")
        stack.enter_context(locked(out, talk.say))
        partial = stack.enter_context(new_folder(out, replace=force))
        check_space(partial, need + _spare(checkpoint.tensors, spec), elsewhere="--out")
        with talk.progress("checking", sum(f.stat().st_size for f in folder.iterdir())) as advance:
            sources = file_records(folder, advance)
        check_sources(sources, record, folder)
        write_programs(folder, partial, talk)
        outcome = judge(folder, record, partial, talk)
        if outcome.status == "fail":
            raise CheckError(f"the programs are wrong: {outcome.reason}", where=folder)
        judged = {
            "status": outcome.status,
            "reason": outcome.reason,
            "figures": outcome.figures,
            "bounds": outcome.bounds,
        }
        (partial / PARITY_NAME).write_bytes(pretty_json(judged))
        shutil.copyfile(_README, partial / README_NAME)
        with talk.progress("checking", need) as advance:
            files = file_records(partial, advance)
        seal_export(
            partial,
            of=folder,
            record=record,
            command=command,
            mapping_digest=code_digest(),
            sources=sources,
            files=files,
            tensors=record.tensors if record else {},
        )
        checkpoint.check_unchanged()
    return outcome


def _spare(tensors: Mapping[str, TensorInfo], spec: CLIPSpec) -> int:
    """Bytes that the image tower's weights take once more while both its programs are written."""
    record = declare(spec, paddle="", logit_scale=None)
    if record.image_bfloat16 is None:
        return 0
    visual = (info for name, info in tensors.items() if name.startswith("visual."))
    return sum(WIDEST * math.prod(info.shape) for info in visual)


def write_programs(folder: Path, out: Path, talk: Talk) -> None:
    """Programs, their record and the configuration, in a folder that is there.

    Raises:
        NotFoundError: Paddle is not installed.
        ProcessError: the process that writes them failed.
    """
    request = WriteRequest(folder=str(folder.resolve()), out=str(out.resolve()))
    run_child("zoo.deploy.write", msgspec.to_builtins(request), "writing programs", talk)
    shutil.copyfile(folder / CONFIG_NAME, out / CONFIG_NAME)


@cache
def code_digest() -> str:
    """sha256 over the code that says what programs compute."""
    sources = sorted([*(_ZOO / "models").glob("*.py"), *(_ZOO / "deploy").glob("*.py")])
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()
