"""Finding what a checkpoint was converted from, without being told again."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from zoo import data
from zoo.convert.provenance import Provenance
from zoo.convert.select import Opened, open_source
from zoo.convert.source import find_source
from zoo.convert.stated import CONFIGS
from zoo.convert.tables import FORMATS
from zoo.data import BUNDLED
from zoo.errors import NotFoundError, UsageError, ZooError
from zoo.files import expanded
from zoo.spec import native

ADVICE = "the source is not at hand; name it with --source"


def locate_source(folder: Path, record: Provenance | None, given: str | None) -> Opened | str:
    """Opens the source of a converted checkpoint, or says why it can't be.

    Only a source whose files have the recorded names and sizes is taken unasked; rung 3 compares
    their digests.

    Args:
        folder: the converted checkpoint.
        record: its provenance.
        given: SOURCE, where the user named one.

    Raises:
        UsageError: the user named one for a checkpoint that was trained.
        ZooError: the source that the user named is not there, or is none.
    """
    if record is None:
        return "the provenance can't be read"
    if record.is_trained:
        if given is not None:
            raise UsageError(
                "this checkpoint was trained, and not converted from anything",
                where=folder,
                remedy="Leave --source out.",
            )
        return "the checkpoint was trained, and has no source"
    family = next((form.family for form in FORMATS if form.name == record.source.format), None)
    configs = {name for name, _ in CONFIGS.values()}
    configured = any(file.name in configs for file in record.source.files)
    spec = None if configured else native.read(folder / native.CONFIG_NAME)
    if given is not None:
        source = find_source(given)
        return open_source(source.path, family=family, spec=spec) if source.path else ADVICE
    for path in _candidates(record):
        try:
            opened = open_source(path, family=family, spec=spec)
        except ZooError:
            continue
        recorded = [(file.name, file.size) for file in record.source.files]
        if [(file.name, file.stat().st_size) for file in opened.files] == recorded:
            return opened
        opened.checkpoint.close()
    return ADVICE


def _candidates(record: Provenance) -> list[Path]:
    """The bundled checkpoint, and whatever path the conversion's own command named."""
    words = [word.removeprefix("local-dir:") for word in record.command]
    paths = []
    for word in words:
        if "/" in word or "." in word:
            with suppress(NotFoundError):  # a home folder of another machine's
                paths.append(expanded(word))
    bundled = [data.path("tiny")] if BUNDLED in record.command else []
    return [*bundled, *(path for path in paths if path.exists())]
