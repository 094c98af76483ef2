"""Files of one commit: brought into the hub's cache, and held against what was promised of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.convert.provenance import FileRecord
from zoo.errors import DigestError, NetworkError
from zoo.files import check_space, sha256_file
from zoo.hub.listing import Listing, matches
from zoo.hub.request import Request
from zoo.hub.snapshot import HubCache, discard
from zoo.talk import Talk, shown_size


def obtain(
    wanted: Request, cache: HubCache, listing: Listing, names: Sequence[str], talk: Talk
) -> None:
    """Downloads the named files of a commit that are not in the cache yet.

    Raises:
        DigestError: the manifest states other digests than the hub; nothing was fetched.
        DiskError: there is not enough space.
        Exception: of huggingface_hub; see ``zoo.hub.errors``.
    """
    for name in names:
        _check_promise(wanted, name, listing.files[name].oid)
    lacking = [n for n in names if not (cache.snapshot(listing.commit) / n).is_file()]
    if not lacking:
        return
    total = sum(listing.files[n].size for n in lacking if not cache.has(listing.files[n]))
    files = "1 file" if len(lacking) == 1 else f"{len(lacking)} files"
    talk.say(f"{wanted.repo}: {files}, {shown_size(total)} to download")
    cache.folder.mkdir(parents=True, exist_ok=True)
    check_space(cache.folder, total, elsewhere="HF_HOME")
    with talk.progress("downloading", total, unit="B") as advance:
        for name in lacking:
            _download(wanted.repo, name, listing.commit, _bar(advance), talk)


def check(
    wanted: Request, cache: HubCache, listing: Listing, names: Sequence[str], talk: Talk
) -> list[FileRecord]:
    """Reads the named files and compares their digests with the hub's and the manifest's.

    Raises:
        DigestError: one has another content; it is gone from the cache.
    """
    records = []
    with talk.progress("checking", sum(listing.files[n].size for n in names), unit="B") as advance:
        for name in names:
            path = cache.snapshot(listing.commit) / name
            sha256 = sha256_file(path, advance)
            promised = wanted.pinned.get(name, sha256)
            if sha256 != promised or not matches(path, sha256, listing.files[name].oid):
                discard(path)
                raise DigestError(
                    "the file is not what the hub or the manifest says it is",
                    where=f"{wanted.repo} at {listing.commit}, {name}: sha256 {sha256}",
                    remedy="It was removed from the hub's cache. Run the command again.",
                )
            records.append(FileRecord(name=name, size=path.stat().st_size, sha256=sha256))
    return records


def _check_promise(wanted: Request, name: str, oid: str | None) -> None:
    stated = wanted.pinned.get(name)
    if stated and oid and len(oid) == len(stated) and oid != stated:
        raise DigestError(
            f"the hub has another file than the manifest: sha256 {oid}, not {stated}",
            where=f"{wanted.repo}, {name}",
            remedy="Nothing was downloaded. If the repository has changed, name the commit that "
            "is meant: --revision COMMIT",
        )


def _download(repo: str, name: str, commit: str, bar: type, talk: Talk) -> None:
    from huggingface_hub import hf_hub_download

    try:
        path = Path(hf_hub_download(repo, name, revision=commit, tqdm_class=bar))
    except BaseException:  # Ctrl-C too: people ask what an interrupted download is worth
        talk.say(
            f"{name} was not finished. huggingface_hub goes on where a connection broke, but keeps "
            "no unfinished file: the next run begins this one anew. Finished files are kept."
        )
        raise
    if path.parent.name != commit:
        raise NetworkError(
            f"asked for commit {commit}, the hub sent {path.parent.name}", where=f"{repo}, {name}"
        )


def _bar(advance: Any) -> type:
    """What huggingface_hub takes for a progress bar, and reports to as the bytes come in."""

    class Bar:
        def __init__(self, *_: object, **__: object) -> None: ...

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None: ...

        def update(self, nbytes: int) -> None:
            advance(nbytes)

        def update_transfer(self, nbytes: int) -> None:
            """Through Xet: bytes of the network, beside those of the file."""

        def set_postfix_str(self, *_: object, **__: object) -> None: ...

        def set_transfer_postfix_str(self, *_: object, **__: object) -> None: ...

        def close(self) -> None: ...

    return Bar
