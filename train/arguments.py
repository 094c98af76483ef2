"""The command line: words to Arguments; what is not known or has no meaning is refused by name."""

from __future__ import annotations

import argparse
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, NoReturn

from train.flags import REFUSED, Arguments
from zoo.errors import UsageError

_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")
_POSITIVE = (
    "per_device_train_batch_size",
    "per_device_eval_batch_size",
    "gradient_accumulation_steps",
    "num_train_epochs",
    "learning_rate",
    "visual_lr",
    "text_lr",
    "layer_decay",
    "visual_ld",
    "text_ld",
    "adam_epsilon",
    "save_steps",
    "save_total_limit",
    "logging_steps",
    "eval_steps",
    "context_length",
    "scale_loss",
    "train_num_samples",
)
_NOT_NEGATIVE = (
    "weight_decay",
    "visual_wd",
    "text_wd",
    "max_grad_norm",
    "warmup_steps",
    "dataloader_num_workers",
    "seed",
)
_BELOW_ONE = ("adam_beta1", "adam_beta2", "ema_decay", "warmup_ratio")  # and not negative
_NEEDED = {  # and what to give it
    "model": "a zoo id (`zoo list` has them), a folder, or an architecture to train from scratch, "
    "such as ViT-B-32",
    "output_dir": "a folder, where checkpoints and logs go",
}
_OF_HALF = ("fp16_opt_level", "amp_custom_black_list", "amp_custom_white_list")


class Parser(argparse.ArgumentParser):
    """argparse with the house's errors; ``prog`` is a script of this folder."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, remedy=f"See: train/{self.prog} --help")

    def parse_all(self, argv: Sequence[str]) -> argparse.Namespace:
        """Raises a UsageError at a word that is no flag's."""
        found, unknown = self.parse_known_args(argv)
        if not unknown:
            return found
        word = unknown[0]
        if not word.startswith("--"):
            remedy = "Is a backslash at a line's end?"
            raise UsageError(f"{word!r} belongs to no flag", remedy=remedy)
        name = word.removeprefix("--").partition("=")[0]
        near = get_close_matches(name, vars(found), n=1)
        remedy = f"Did you mean: --{near[0]}" if near else f"See: train/{self.prog} --help"
        raise UsageError(f"there is no flag --{name}", remedy=remedy)


def parse(argv: Sequence[str]) -> Arguments:
    """Reads a command line.

    Raises:
        UsageError: a flag is unknown, refused, or has a value that makes no sense.
    """
    values: dict[str, Any] = vars(_parser().parse_all(argv))
    for name, refused in REFUSED.items():
        value = values.pop(name)
        if value is not None and value.lower() not in map(str.lower, refused.neutral):
            raise UsageError(f"--{name} {value} is refused: {refused.reason}")
    taken: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
    arguments = Arguments(**taken)
    _check(arguments)
    return arguments


def _parser() -> Parser:
    parser = Parser(
        prog="run_pretrain_dist.py",
        description="Trains a CLIP, on one process or under python -m paddle.distributed.launch.",
        allow_abbrev=False,
    )
    kinds = typing.get_type_hints(Arguments)
    for entry in fields(Arguments):
        kind = _plain(kinds[entry.name])
        options: dict[str, Any] = {"type": kind, "default": entry.default}
        if kind is bool:  # --do_train, --do_train True and --do_train=False
            options |= {"type": boolean, "nargs": "?", "const": True, "metavar": "BOOL"}
        if typing.get_origin(kind) is tuple:
            options |= {"type": str, "nargs": "*", "metavar": "NAME"}
        if entry.metadata["choices"]:
            options["choices"] = entry.metadata["choices"]
        parser.add_argument(f"--{entry.name}", help=_help(entry), **options)
    for name in REFUSED:
        parser.add_argument(f"--{name}", nargs="?", const="true", help=argparse.SUPPRESS)
    return parser


def _plain(kind: Any) -> Any:
    """The type of an optional flag."""
    if isinstance(kind, types.UnionType):
        return next(part for part in typing.get_args(kind) if part is not types.NoneType)
    return kind


def _help(entry: Any) -> str:
    text = str(entry.metadata["help"]).replace("%", "%%")
    unsaid = entry.default in (None, "", ())
    return text if unsaid else f"{text} (default: {entry.default!r})"


def boolean(word: str) -> bool:
    if word.lower() in (*_TRUE, *_FALSE):
        return word.lower() in _TRUE
    raise argparse.ArgumentTypeError(f"{word!r} is neither True nor False")


def _check(arguments: Arguments) -> None:
    """Values that make no sense, whatever the model and the data."""
    for name, value in _NEEDED.items():
        if not getattr(arguments, name):
            raise UsageError(f"--{name} is needed", remedy=f"Give it {value}.")
    demands: tuple[tuple[tuple[str, ...], Callable[[Any], bool], str], ...] = (
        (_POSITIVE, lambda value: value > 0, "positive"),
        (_NOT_NEGATIVE, lambda value: value >= 0, "0 or more"),
        (_BELOW_ONE, lambda value: 0 <= value < 1, "at least 0 and below 1"),
    )
    for names, holds, demand in demands:
        for name in names:
            value = getattr(arguments, name)
            if value is not None and not holds(value):
                raise UsageError(f"--{name} must be {demand}, not {value}")
    if arguments.max_steps == 0 or arguments.max_steps < -1:
        raise UsageError(f"--max_steps must be positive, not {arguments.max_steps}")
    if arguments.lock_image and arguments.lock_text:
        raise UsageError("--lock_image and --lock_text leave nothing to train")
    if arguments.evaluation_strategy == "steps" and not arguments.classification_eval:
        raise UsageError("--evaluation_strategy steps needs --classification_eval")
    if arguments.fp16 and arguments.bf16:
        raise UsageError("--fp16 and --bf16: only one of them can be")
    half = ("--fp16 or --bf16", arguments.fp16 or arguments.bf16)
    needs = dict.fromkeys(_OF_HALF, half) | {
        "scale_loss": ("--fp16", arguments.fp16),
        "eval_steps": ("--evaluation_strategy steps", arguments.evaluation_strategy == "steps"),
        "pretrained_text_model": ("--classification_eval", bool(arguments.classification_eval)),
        "logging_dir": (
            "--tensorboard or --report_to",
            arguments.tensorboard or arguments.report_to != "none",
        ),
    }
    for entry in fields(Arguments):
        needed, given = needs.get(entry.name, ("", True))
        if not given and getattr(arguments, entry.name) != entry.default:
            raise UsageError(f"--{entry.name} does nothing without {needed}")
