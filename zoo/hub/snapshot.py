"""The hub's own cache on this disk, as huggingface_hub lays it out and other programs share it.

``models--ORG--NAME/`` holds ``blobs/OID``, the contents; ``snapshots/COMMIT/FILE``, links to them;
and ``refs/REVISION``, the commit a branch or tag was last seen at. The layout is documented:
https://huggingface.co/docs/huggingface_hub/guides/manage-cache
"""

from __future__ import annotations

from pathlib import Path

from zoo.files import write_atomic
from zoo.hub.listing import Listing, RepoFile, is_commit


class HubCache:
    """One repository's part of the cache; ``$HF_HUB_CACHE`` and ``$HF_HOME`` say where it lies."""

    def __init__(self, repo: str) -> None:
        from huggingface_hub import constants

        self.folder = Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}"

    def snapshot(self, commit: str) -> Path:
        """The folder with a commit's files, as far as they are here."""
        return self.folder / "snapshots" / commit

    def commit(self, revision: str) -> str | None:
        """The commit that a revision was last seen at; None where it never was."""
        if is_commit(revision):
            return revision
        ref = self.folder / "refs" / revision
        commit = ref.read_text().strip() if ref.is_file() else ""
        return commit if is_commit(commit) else None

    def remember(self, revision: str, commit: str) -> None:
        """Keeps what a branch or tag meant, so that it means the same offline."""
        if self.commit(revision) != commit:
            ref = self.folder / "refs" / revision
            ref.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(ref, commit.encode())

    def listing(self, revision: str) -> Listing:
        """The files that are here of the commit a revision was last seen at; only those."""
        commit = self.commit(revision) or revision
        folder = self.snapshot(commit)
        paths = sorted(folder.iterdir()) if is_commit(commit) and folder.is_dir() else []
        return Listing(commit=commit, files={p.name: _file(p) for p in paths if p.is_file()})

    def has(self, file: RepoFile) -> bool:
        """Whether a content is here, under any name or commit."""
        return file.oid is not None and (self.folder / "blobs" / file.oid).is_file()


def discard(path: Path) -> None:
    """Removes a file of a snapshot and its content, so that nothing finds it again."""
    while path.is_symlink():
        target = path.parent / path.readlink()
        path.unlink()
        path = target
    path.unlink(missing_ok=True)


def _file(path: Path) -> RepoFile:
    # The first link leads to blobs/OID, which may be a link too, into a store for all repositories.
    oid = path.readlink().name if path.is_symlink() else None
    return RepoFile(size=path.stat().st_size, oid=oid)
