"""What is asked of the hub, decided before anything is opened or asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zoo.convert.source import check_id
from zoo.hub.listing import check_revision
from zoo.manifest import Manifest

MAIN = "main"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A checkpoint of a repository; ``pinned`` are the sha256 that a manifest states, by name."""

    repo: str
    revision: str
    family: str | None
    pinned: Mapping[str, str]

    @property
    def command(self) -> str:
        """The command that fetches it."""
        words = ["zoo", "convert", self.repo]
        if self.revision != MAIN:
            words += ["--revision", self.revision]
        if self.family is not None:
            words += ["--from", self.family]
        return " ".join(words)


def make_request(
    repo: str, *, revision: str | None, manifest: Manifest | None, family: str | None
) -> Request:
    """The request for a repository.

    Args:
        repo: the hub id, ORG/NAME.
        revision: a commit, branch or tag (``--revision``); None: the manifest's, or ``main``.
        manifest: the zoo's entry, where there is one. What it pins counts for the repository it
            names, and its digests for the revision it names.
        family: the format to take (``--from``); None: the preferred one that is there.

    Raises:
        NameInvalidError: the repository or the revision has a name that can't be one.
    """
    check_id(repo)
    source = manifest.source if manifest and manifest.source.hub == repo else None
    stated = source.revision if source and source.revision else MAIN
    meant = check_revision(stated if revision is None else revision)
    pinned = source.sha256 if source and meant == stated else {}
    return Request(repo=repo, revision=meant, family=family, pinned=pinned)
