"""The calls: what ``import zoo`` offers."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.convert.obtain import convert_source, converted_folder
from zoo.convert.run import Options
from zoo.convert.source import find_source
from zoo.errors import ConfigError
from zoo.manifest import Manifest, registry
from zoo.talk import Talk

if TYPE_CHECKING:
    from zoo.inputs.preprocess import Preprocess
    from zoo.inputs.tokenizer import Tokenizer
    from zoo.models.clip import CLIP
    from zoo.verify.run import Result


def load(
    source: str | Path,
    *,
    dtype: str = "float32",
    device: str | None = None,
    interpolate: bool = False,
) -> tuple[CLIP, Preprocess, Tokenizer]:
    """A model ready for use: converted first where it is not yet.

    Args:
        source: SOURCE (docs/commands.md): a zoo id, a hub id, or a path; a path object is a path.
        dtype: the type to compute in; stored half precision is widened by default, because Paddle
            on CPU multiplies float32 only.
        device: Paddle's name of one, such as ``gpu:0``; None: Paddle's own choice.
        interpolate: resize position embeddings that were stored for another picture size or
            context length, as open_clip does, instead of refusing them.

    Returns:
        The model in eval mode; ``preprocess``: PIL image -> float32 [3, height, width], with
        ``preprocess.train`` for training; ``tokenizer``: texts -> int64 [n, context_length].

    Raises:
        ZooError: of every kind: not found, offline, damaged, contradictory; Paddle not installed.
    """
    from zoo.inputs.preprocess import Preprocess
    from zoo.inputs.tokenizer import Tokenizer
    from zoo.models.loading import load_checkpoint

    folder = converted_folder(_text(source), _talk())
    model = load_checkpoint(folder, dtype=dtype, device=device, interpolate=interpolate)
    spec = model.spec
    if spec.vision is None or spec.text is None:
        raise ConfigError("this model has one tower; load it with zoo.models", where=folder)
    if spec.preprocess is None:
        raise ConfigError(
            "nothing says how pictures are prepared for this model",
            where=folder,
            remedy="Convert it with --arch, which does, or with --id as a model of the zoo.",
        )
    return model, Preprocess(spec.preprocess), Tokenizer(spec.text.context_length)


def convert_checkpoint(
    source: str | Path,
    out: str | Path | None = None,
    *,
    dtype: str = "keep",
    max_shard_size: int | None = None,
    name: str | None = None,
    force: bool = False,
) -> Path:
    """``zoo convert`` as a call.

    Args:
        source: SOURCE; a path object is a path.
        out: the folder to make; None: the cache.
        dtype: ``keep``, ``float32``, ``float16`` or ``bfloat16``.
        max_shard_size: in bytes.
        name: what the model is called (``--id``).
        force: replace what is at ``out``.

    Returns:
        The folder.

    Raises:
        ZooError: of every kind; nothing half made is left behind.
    """
    text = _text(source)
    words = ("zoo", "convert", text, *(() if out is None else ("--out", str(out))))
    options = Options(dtype=dtype, max_shard_size=max_shard_size, force=force, command=words)
    found = find_source(text, name=name)
    return convert_source(found, None if out is None else Path(out), options, _talk())


def verify_checkpoint(
    folder: str | Path, *, source: str | None = None, upto: str = "pipeline"
) -> Result:
    """``zoo verify`` as a call, on one converted folder.

    Raises:
        ZooError: the folder is none, or the evidence can't be written; what fails on the ladder is
            in the result.
    """
    from zoo.verify.run import verify

    command = ["zoo", "verify", str(folder), "--upto", upto]
    return verify(
        Path(folder), source=source, upto=upto, controls=False, command=command, talk=_talk()
    )


def list_models() -> Sequence[Manifest]:
    """The zoo's entries, sorted by id."""
    return registry().manifests


def get_model(name: str) -> Manifest:
    """The entry of this id, alias, or unique prefix of one.

    Raises:
        NotFoundError, UsageError: there is none, or there are several.
    """
    return registry().find(name)


def _text(source: str | Path) -> str:
    return source if isinstance(source, str) else f"local-dir:{source}"


def _talk() -> Talk:
    """The terminal, as a command would use it."""
    from zoo.cli.output import Output

    return Output(Namespace(json=False, quiet=False, verbose=False))
