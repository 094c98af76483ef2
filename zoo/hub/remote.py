"""A checkpoint on the hub by its headers alone: configuration, tensor names, types and shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from zoo.convert.readers import Checkpoint, safetensors, torch_pickle
from zoo.convert.readers.contents import Contents
from zoo.convert.readers.layout import Extent, shown
from zoo.convert.readers.mapped_file import MappedFile
from zoo.convert.readers.pickle_data import load
from zoo.convert.readers.recognise import Kind, recognise
from zoo.convert.readers.zip_directory import ZipDirectory
from zoo.errors import FormatError, OfflineError, ZooError
from zoo.hub.choose import Missing, choose
from zoo.hub.client import guarded, list_repository, offline_switch
from zoo.hub.download import names_of, say_choice, say_commit
from zoo.hub.errors import hub_errors, no_checkpoint
from zoo.hub.obtain import check, obtain
from zoo.hub.ranges import RemoteFile
from zoo.hub.request import Request, make_request
from zoo.hub.snapshot import HubCache
from zoo.manifest import Manifest
from zoo.talk import Talk


@dataclass(frozen=True, kw_only=True)
class Remote:
    """What a repository's headers say.

    ``configs`` were downloaded, checked, and lie in the hub's cache. ``checkpoint`` knows names,
    types and shapes; its tensors are on the hub.
    """

    repo: str
    commit: str
    family: str
    configs: tuple[Path, ...]
    weights: tuple[str, ...]  # file names
    nbytes: int  # of all weights
    received: int  # bytes of the weights that were read
    checkpoint: Checkpoint


def look(
    repo: str, *, revision: str | None, manifest: Manifest | None, family: str | None, talk: Talk
) -> Remote:
    """Reads a checkpoint's configuration and headers, a few hundred kilobytes in all.

    Args:
        repo, revision, manifest, family: see ``zoo.hub.request.make_request``.
        talk: where to say what happens.

    Raises:
        OfflineError: the network is switched off.
        NetworkError: also when the server sends no parts of files.
        FormatError: the headers are not what their format demands.
        ZooError: of the kinds that ``zoo.hub.download.fetch`` raises.
    """
    wanted = make_request(repo, revision=revision, manifest=manifest, family=family)
    switch = offline_switch()
    if switch:
        raise OfflineError(
            f"{switch} is set, and what is on the hub can't be looked at",
            where=f"{repo} at {wanted.revision}",
            remedy=f"Where there is a network, run: {switch}=0 zoo show --remote {repo}",
        )
    with hub_errors(repo), guarded(talk):
        return _look(wanted, HubCache(repo), talk)


def _look(wanted: Request, cache: HubCache, talk: Talk) -> Remote:
    from huggingface_hub import hf_hub_url

    listing = list_repository(wanted.repo, wanted.revision, talk)
    say_commit(wanted, cache, listing, talk)

    def bring(names: Sequence[str]) -> None:
        obtain(wanted, cache, listing, names, talk)
        check(wanted, cache, listing, names, talk)

    try:
        choice = choose(listing.files, wanted.family)
        names = names_of(choice, cache, listing, bring)
    except Missing as missing:
        raise no_checkpoint(wanted.repo, listing.commit, missing.names) from None
    say_choice(wanted, choice, talk)
    bring(choice.configs)
    shards = names[len(choice.configs) + choice.sharded :]
    files = [
        RemoteFile(
            hf_hub_url(wanted.repo, name, revision=listing.commit),
            size=listing.files[name].size,
            talk=talk,
        )
        for name in shards
    ]
    parts = [(cast(MappedFile, file), headers(file)) for file in files]
    return Remote(
        repo=wanted.repo,
        commit=listing.commit,
        family=choice.family,
        configs=tuple(cache.snapshot(listing.commit) / name for name in choice.configs),
        weights=tuple(shards),
        nbytes=sum(file.size for file in files),
        received=sum(file.received for file in files),
        checkpoint=Checkpoint(parts, index=None),
    )


def headers(remote: RemoteFile) -> Contents:
    """What a file says of its tensors, which stay where they are.

    Raises:
        FormatError, TruncatedError: of ``zoo.convert.readers``; or the format has no headers.
        NetworkError: the server sends no ranges, or the headers are too large.
    """
    file = cast(MappedFile, remote)  # the readers use no more than RemoteFile has
    try:
        match recognise(file):
            case Kind.SAFETENSORS:
                return safetensors.read(file)
            case Kind.ZIP:
                return _torch_zip(file)
            case kind:
                raise FormatError(
                    f"{kind.name.lower()} can't be read from afar: what matters lies all over it",
                    remedy="Download it to see what it holds: zoo convert",
                )
    except ZooError as error:
        error.where = error.where or remote.address
        raise


def _torch_zip(file: MappedFile) -> Contents:
    """As ``torch_zip.read``, but every storage's own header, a request each, is not looked at."""
    archive = ZipDirectory(file)
    pickles = [name for name in archive.records if name.endswith(b"/data.pkl")]
    if len(pickles) != 1:
        raise FormatError("this is a zip archive, but not one that torch.save wrote")
    extent = archive.extent(pickles[0])
    root, _ = load(
        file.view(extent.offset, extent.nbytes),
        0,
        check_global=torch_pickle.check_global,
        persistent_load=torch_pickle.persistent_load,
    )
    folder = pickles[0].removesuffix(b"data.pkl")

    def storage(key: str) -> Extent:
        record = archive.records.get(folder + b"data/" + key.encode("utf-8", "surrogatepass"))
        if record is None:
            raise FormatError(f"the archive has no storage {shown(key)}")
        return Extent(record.header, record.nbytes)

    return torch_pickle.contents(root, storage, format="torch-zip")
