"""From a hub repository to files on this disk, each with the content the hub promises.

huggingface_hub fetches, and keeps the files in its own cache, which other programs share. What is
fetched, and whether it is what was promised, is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.convert.provenance import FileRecord
from zoo.errors import OfflineError
from zoo.hub.choose import FIRST, Choice, Missing, choose, has_beside, shard_names
from zoo.hub.client import guarded, list_repository, offline_switch
from zoo.hub.errors import hub_errors, no_checkpoint
from zoo.hub.listing import Listing, is_commit
from zoo.hub.obtain import check, obtain
from zoo.hub.request import Request, make_request
from zoo.hub.snapshot import HubCache
from zoo.manifest import Manifest
from zoo.talk import Talk

Bring = Callable[[Sequence[str]], None]  # sees to it that files of these names are here


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A checkpoint in the hub's cache: ``files`` lie in ``folder``, configuration first."""

    folder: Path
    commit: str
    family: str
    files: tuple[FileRecord, ...]


def fetch(
    repo: str, *, revision: str | None, manifest: Manifest | None, family: str | None, talk: Talk
) -> Fetched:
    """Brings the files of one checkpoint here, those only, and checks every one.

    Args:
        repo, revision, manifest, family: see ``zoo.hub.request.make_request``.
        talk: where to say what happens.

    Raises:
        NameInvalidError: the repository or the revision has a name that can't be one.
        NotFoundError: no such repository, revision or file, or no checkpoint in it.
        OfflineError: the network is switched off, and something is not in the hub's cache.
        NetworkError: the hub refused, failed, or could not be reached.
        DigestError: a file is not what the hub or the manifest says; it is gone from the cache.
        PathError, FormatError: an index of shards is not honest.
        DiskError, AccessError: as the system says.
    """
    wanted = make_request(repo, revision=revision, manifest=manifest, family=family)
    cache = HubCache(repo)
    switch = offline_switch()
    if switch:
        return _from_cache(wanted, cache, switch, talk)
    if is_commit(wanted.revision):
        # A commit never changes: where all that would be taken is here, nothing is to be asked.
        sure = replace(wanted, family=family or FIRST)
        here = cache.listing(wanted.revision)
        with suppress(Missing):
            if has_beside(here.files, sure.family):
                return _gather(sure, cache, here, talk)
    with hub_errors(repo), guarded(talk):
        return _from_hub(wanted, cache, talk)


def _from_cache(wanted: Request, cache: HubCache, switch: str, talk: Talk) -> Fetched:
    try:
        return _gather(wanted, cache, cache.listing(wanted.revision), talk)
    except Missing as missing:
        raise OfflineError(
            f"{switch} is set, and the hub's cache lacks {missing.names}",
            where=f"{wanted.repo} at {wanted.revision}",
            remedy=f"Where there is a network, run: {switch}=0 {wanted.command}",
        ) from None


def _from_hub(wanted: Request, cache: HubCache, talk: Talk) -> Fetched:
    listing = list_repository(wanted.repo, wanted.revision, talk)
    say_commit(wanted, cache, listing, talk)

    def bring(names: Sequence[str]) -> None:
        obtain(wanted, cache, listing, names, talk)

    try:
        fetched = _gather(wanted, cache, listing, talk, bring)
    except Missing as missing:
        raise no_checkpoint(wanted.repo, listing.commit, missing.names) from None
    cache.remember(wanted.revision, listing.commit)
    return fetched


def _gather(
    wanted: Request, cache: HubCache, listing: Listing, talk: Talk, bring: Bring | None = None
) -> Fetched:
    """Chooses, brings what is not here yet, and checks it.

    Raises:
        Missing: the listing has no checkpoint, or only a part of one.
    """
    choice = choose(listing.files, wanted.family)
    names = names_of(choice, cache, listing, bring)
    say_choice(wanted, choice, talk)
    if bring:
        bring(names)
    return Fetched(
        folder=cache.snapshot(listing.commit),
        commit=listing.commit,
        family=choice.family,
        files=tuple(check(wanted, cache, listing, names, talk)),
    )


def names_of(choice: Choice, cache: HubCache, listing: Listing, bring: Bring | None) -> list[str]:
    """The files of a choice; which shards there are, only the index knows.

    Raises:
        Missing: the listing lacks shards.
    """
    names = [*choice.configs, choice.weights]
    if choice.sharded:
        if bring:
            bring([choice.weights])
        names += shard_names(cache.snapshot(listing.commit) / choice.weights)
    lacking = [name for name in names if name not in listing.files]
    if lacking:
        raise Missing(", ".join(lacking))
    return names


def say_commit(wanted: Request, cache: HubCache, listing: Listing, talk: Talk) -> None:
    """Which commit a branch or tag means, and whether it meant another when it was last fetched."""
    revision, former = wanted.revision, cache.commit(wanted.revision)
    if former and former != listing.commit:
        talk.say(
            f"{wanted.repo}: {revision} has moved from {former} to {listing.commit} since it was "
            f"last fetched; --revision {former} takes the former"
        )
    elif not is_commit(revision):
        talk.say(f"{wanted.repo}: no commit is pinned; {revision} is {listing.commit}")


def say_choice(wanted: Request, choice: Choice, talk: Talk) -> None:
    """Which of several families is taken."""
    if choice.others and wanted.family is None:
        other = choice.others[0]
        talk.say(
            f"{wanted.repo} holds the formats {', '.join((choice.family, *choice.others))}; "
            f"taking {choice.family} (--from {other} takes {other})"
        )
