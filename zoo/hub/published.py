"""PaddleMIX's own conversions: files at plain addresses, which manifests name.

Nobody publishes digests of them; what came is recorded in the conversion's provenance.
"""

from __future__ import annotations

from pathlib import Path

from zoo import cache
from zoo.errors import NotFoundError, OfflineError, UsageError
from zoo.hub.client import offline_switch
from zoo.hub.resumable import download
from zoo.locks import locked
from zoo.manifest import Manifest
from zoo.spec import paddlemix, paddlemix_processor
from zoo.talk import Talk

WEIGHTS = "model_state.pdparams"
NEEDED = (paddlemix.CONFIG_NAME, WEIGHTS)
BESIDE = f"{paddlemix_processor.EVAL}/{paddlemix_processor.IMAGE_NAME}"


def fetch_published(manifest: Manifest, talk: Talk) -> Path:
    """Brings PaddleMIX's conversion of a model here; what is here already stays.

    Args:
        manifest: the model's; its ``source.paddlemix`` is the weights' address.
        talk: where to say what happens.

    Returns:
        A folder as PaddleMIX has it.

    Raises:
        UsageError: the manifest names no such conversion.
        NotFoundError: a needed file is not at its address.
        OfflineError: the network is switched off, and a needed file is not here.
        NetworkError: the server refused, failed, or could not be reached.
        DiskError, AccessError: as the system says.
    """
    address = manifest.source.paddlemix
    if address is None:
        raise UsageError(f"PaddleMIX has no conversion of {manifest.id} that zoo knows")
    base = address.removesuffix(f"/{WEIGHTS}")
    folder = cache.home() / cache.PUBLISHED / manifest.id
    with cache.in_use(cache.PUBLISHED, talk.say), locked(folder, talk.say):
        for name in NEEDED:
            if not (folder / name).is_file() and not _download(base, name, folder, talk):
                raise NotFoundError("there is no such file", where=f"{base}/{name}")
        if not (folder / BESIDE).is_file() and offline_switch() is None:
            _download(base, BESIDE, folder, talk)
    return folder


def _download(base: str, name: str, folder: Path, talk: Talk) -> bool:
    """Whether the file is there, and now here."""
    address, path = f"{base}/{name}", folder / name
    switch = offline_switch()
    if switch is not None:
        raise OfflineError(
            f"{switch} keeps zoo off the network, and this file is not here",
            where=address,
            remedy=f"Unset {switch}, or put the file at {path}",
        )
    return download(address, path, talk, elsewhere="ZOO_HOME")
