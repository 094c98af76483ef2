"""Rung 1: every file of the folder is the one that was written. No framework, no network."""

from __future__ import annotations

from pathlib import Path

from zoo.convert import provenance
from zoo.convert.provenance import PROVENANCE_NAME, Provenance
from zoo.errors import DigestError, NotFoundError, ZooError
from zoo.files import leftovers, sha256_file
from zoo.signing import SIGNATURE_NAME
from zoo.talk import Talk
from zoo.verify import evidence
from zoo.verify.outcome import Outcome, failed, passed


def check_files(folder: Path, talk: Talk) -> Outcome:
    """Compares every file's size and sha256 with the provenance, and the sealed files with
    themselves."""
    try:
        record = provenance.read(folder)
    except (DigestError, NotFoundError) as error:
        return failed(error.what)
    problems = _strangers(folder, record) + _evidence(folder, record)
    with talk.progress("files", sum(file.size for file in record.files), unit="B") as advance:
        for file in record.files:
            path = folder / file.name
            if not path.is_file():
                problems.append(f"{file.name} is missing")
            elif (size := path.stat().st_size) != file.size:
                problems.append(f"{file.name} has {size} bytes; {file.size} were written")
            elif sha256_file(path, advance) != file.sha256:
                problems.append(f"{file.name} is not the one that was written")
    figures = {"files": len(record.files) + 1, "damaged": len(problems)}
    if problems:
        return failed("; ".join(problems), figures)
    return passed(figures)


def stamps(folder: Path) -> dict[str, tuple[int, int, int]]:
    """By which a checkpoint is seen to be the same all the while: inode, size and time of change of
    all that verifying does not write itself."""
    return {
        path.name: (status.st_ino, status.st_size, status.st_mtime_ns)
        for path in folder.glob("*")
        if path.name not in _later()
        for status in [path.lstat()]
    }


def _later() -> set[str]:
    """What comes into a checkpoint's folder when it is there, and what killed writers leave."""
    later = {evidence.EVIDENCE_NAME, SIGNATURE_NAME}
    return later | {name for written in later for name in leftovers(written)}


def _strangers(folder: Path, record: Provenance) -> list[str]:
    known = {file.name for file in record.files} | {PROVENANCE_NAME} | _later()
    return [
        f"{path.name} does not belong here"
        for path in sorted(folder.iterdir())
        if path.name not in known
    ]


def _evidence(folder: Path, record: Provenance) -> list[str]:
    path = folder / evidence.EVIDENCE_NAME
    if path.is_file():
        try:
            found = evidence.read(path)
        except ZooError as error:
            return [f"{path.name}: {error.what}"]
        if (unlike := found.subject.unlike(evidence.Subject.of(record))) is not None:
            return [f"{path.name} is {unlike}"]
    return []
