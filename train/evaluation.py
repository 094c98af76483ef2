"""Zero-shot evaluation by the seed's flags; ``zoo verify --zero-shot`` runs the same code.

A flag does what its help says. ``--pretrained_text_model`` was a file name's part in PaddleMIX, so
that one model's classifier could be used with another; here it has to have the same text tower.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.arguments import Parser, boolean
from zoo import cache
from zoo.convert import provenance
from zoo.convert.obtain import converted_folder
from zoo.convert.provenance import Provenance
from zoo.errors import CheckError, ConfigError, DigestError, UsageError, missing_library
from zoo.files import pretty_json, write_atomic
from zoo.imagesets.recognise import open_imageset
from zoo.locks import locked
from zoo.manifest import registry
from zoo.spec import CLIPSpec, native
from zoo.talk import Silence, Talk
from zoo.verify.evaluation import key
from zoo.verify.journal import journal_folder, read_timing
from zoo.verify.outcome import Outcome
from zoo.verify.predict import Gather, environment, predict
from zoo.verify.request import EvaluateRequest, Precision
from zoo.verify.rungs.files import check_files
from zoo.verify.rungs.zeroshot import check_zero_shot
from zoo.verify.zeroshot import Row

RESULT = "zero_shot.json"
NOT_TEXT = ("visual.", "logit_scale")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads a command line; the names and defaults are PaddleMIX's.

    Raises:
        UsageError: a flag is unknown or has a value that makes no sense.
    """
    parser = Parser(
        prog="run_zero_shot_eval.py",
        description="Zero-shot top-1, on one process or under python -m paddle.distributed.launch.",
        allow_abbrev=False,
    )
    switch: dict[str, Any] = {"type": boolean, "nargs": "?", "const": True, "default": False}
    parser.add_argument("--model", required=True, help="zoo id, hub id or folder")
    parser.add_argument(
        "--pretrained_text_model", help="whose text tower makes the classifier (default: --model)"
    )
    parser.add_argument("--pretrained_model_path", help="weights of --model's shape to use instead")
    parser.add_argument("--classification_eval", required=True, help="the data set")
    parser.add_argument("--per_device_eval_batch_size", type=int, default=8, help="(default: 8)")
    parser.add_argument(
        "--dataloader_num_workers", type=int, default=0, help="processes that decode (default: 0)"
    )
    parser.add_argument("--fp16", metavar="BOOL", help="compute in float16, on GPUs", **switch)
    parser.add_argument("--output_dir", required=True, type=Path, help="where results go")
    parser.add_argument("--disable_tqdm", metavar="BOOL", help="no progress", **switch)
    parser.add_argument("--tensorboard", metavar="BOOL", help="write its files too", **switch)
    arguments = parser.parse_all(argv)
    if arguments.per_device_eval_batch_size < 1:
        raise UsageError("--per_device_eval_batch_size must be positive")
    if arguments.dataloader_num_workers < 0:
        raise UsageError("--dataloader_num_workers must be 0 or more")
    return arguments


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is evaluated."""

    folder: Path
    record: Provenance
    spec: CLIPSpec


def find_subject(arguments: argparse.Namespace, talk: Talk) -> Subject:
    """The model, checked file by file.

    Raises:
        DigestError: a file is not the one that was written.
        ConfigError: ``--pretrained_model_path`` is of another shape than ``--model``.
        UsageError: ``--pretrained_text_model`` has another text tower.
        ZooError: what finding and converting raise.
    """
    subject = _subject(arguments.pretrained_model_path or arguments.model, talk)
    if arguments.pretrained_model_path and _spec(arguments.model, talk) != subject.spec:
        raise ConfigError(
            f"these weights are of another shape than {arguments.model}",
            where=arguments.pretrained_model_path,
        )
    text_model = arguments.pretrained_text_model
    if text_model and _text_tower(_subject(text_model, talk)) != _text_tower(subject):
        raise UsageError(
            f"--pretrained_text_model {text_model} has another text tower than the model",
            remedy="Its classifier would be another model's. Leave the flag out.",
        )
    outcome = check_files(subject.folder, talk)
    if outcome.status != "pass":
        raise DigestError(str(outcome.reason), where=subject.folder)
    return subject


def _subject(text: str, talk: Talk) -> Subject:
    # A folder may be named without a dot in front, as PaddleMIX's script allows.
    bare = not text.startswith((".", "/", "~")) and Path(text).is_dir()
    folder = converted_folder(f"./{text}" if bare else text, talk)
    spec = native.read(folder / native.CONFIG_NAME)
    return Subject(folder=folder, record=provenance.read(folder), spec=spec)


def _spec(text: str, talk: Talk) -> CLIPSpec:
    """The shape alone, for which a model of the zoo need not be there."""
    manifest = registry().names.get(text)
    if manifest is None or manifest.quick_gelu == "from-file":
        return _subject(text, talk).spec
    return registry().spec(manifest)


def _text_tower(subject: Subject) -> dict[str, str]:
    tensors = subject.record.tensors.items()
    return {name: t.sha256 for name, t in tensors if not name.startswith(NOT_TEXT)}


def evaluate(
    arguments: argparse.Namespace, *, rank: int, world: int, gather: Gather, talk: Talk
) -> Outcome:
    """Evaluates, and leaves the result and every prediction in the output folder.

    Raises:
        CheckError: the rung failed: the result says why.
        ZooError: what predicting raises.
    """
    subject = find_subject(arguments, talk)
    with cache.in_use(cache.ZERO_SHOT, talk.say):  # the journal is read to the end
        return _evaluate(arguments, subject, rank=rank, world=world, gather=gather, talk=talk)


def _evaluate(
    arguments: argparse.Namespace,
    subject: Subject,
    *,
    rank: int,
    world: int,
    gather: Gather,
    talk: Talk,
) -> Outcome:
    data = arguments.classification_eval
    images = open_imageset(data)
    precision: Precision = "float16" if arguments.fp16 else "float32"
    batch = arguments.per_device_eval_batch_size
    place, prompts = str(Path(data).resolve()), images.prompts_digest
    made_of = key(subject.record, subject.spec, prompts, place, precision, batch)
    journal = journal_folder(cache.ZERO_SHOT, subject.record.id, made_of)
    request = EvaluateRequest(
        folder=str(subject.folder),
        data=data,
        out=str(journal),
        batch_size=batch,
        workers=arguments.dataloader_num_workers,
        precision=precision,
    )
    shown = Silence() if arguments.disable_tqdm else talk
    with (
        locked(journal, talk.say) if rank == 0 else nullcontext(),
        shown.progress("zero-shot", len(images.pictures)) as advance,
    ):
        gather([])  # nobody begins before rank 0 holds the journal
        done = 0

        def report(now: int, _of: int, note: str) -> None:
            nonlocal done
            advance(now - done, note)
            done = now

        rows = predict(request, images, report, say=talk.say, rank=rank, world=world, gather=gather)
    manifest = registry().names.get(subject.record.id)
    outcome = check_zero_shot(
        rows,
        images,
        precision=precision,
        claims=manifest.claims.top1 if manifest else (),
        judged=manifest.judged_claim if manifest else None,
        agreement=None,
        allow_unreadable=False,
    )
    if rank == 0:
        _write(arguments, Path(request.out), subject, outcome)
    if outcome.status == "fail":
        raise CheckError(str(outcome.reason), where=data)
    return outcome


def _write(
    arguments: argparse.Namespace, journal: Path, subject: Subject, outcome: Outcome
) -> None:
    output: Path = arguments.output_dir
    output.mkdir(parents=True, exist_ok=True)
    write_atomic(output / Row.FILE, (journal / Row.FILE).read_bytes())
    on = outcome.measured_on
    assert on is not None
    document = {
        "model": subject.record.id,
        "tensors_digest": subject.record.tensors_digest,
        "data": {"name": on.name, "images": on.items, "whole": on.whole},
        "status": outcome.status,
        "reason": outcome.reason,
        "figures": outcome.figures,
        "bounds": outcome.bounds,
        "environment": environment(),
        "path": read_timing(journal)["path"],
    }
    write_atomic(output / RESULT, pretty_json(document))
    top1, top5 = outcome.figures["top-1"], outcome.figures["top-5"]
    print(f"zero-shot classification task: {on.name}: top1: {top1:.4f}, top5: {top5:.4f}")
    if arguments.tensorboard:
        try:
            from tensorboard.summary import Writer
        except ModuleNotFoundError as error:
            raise missing_library("tensorboard", "train", "--tensorboard") from error
        writer = Writer(str(output / "runs"))
        writer.add_scalar("val/imagenet-zeroshot-val-top1", top1, 0)
        writer.add_scalar("val/imagenet-zeroshot-val-top5", top5, 0)
        writer.close()
