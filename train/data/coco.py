"""COCO in Karpathy's split, where PaddleMIX keeps it; it is downloaded where it is not there.

Nobody publishes a digest of the tar. The one of the first download is recorded beside it, and a
later one has to be equal.
"""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import msgspec

from train.data.pairs import Pairs, read_json
from train.data.tars import check_end
from zoo.errors import (
    DatasetError,
    DigestError,
    FormatError,
    NetworkError,
    NotFoundError,
    OfflineError,
    PathError,
)
from zoo.files import check_space, new_folder, sha256_file, write_atomic
from zoo.hub.client import offline_switch
from zoo.hub.resumable import download
from zoo.locks import locked
from zoo.talk import Advance, Talk

ADDRESS = "https://bj.bcebos.com/v1/paddlenlp/datasets/paddlemix/coco.tar"
HOME = "PPMIX_HOME"
TRAINING = Path("annotations", "coco_karpathy_train.json")


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the tar was when it was first used."""

    address: str
    size: int
    sha256: str


def coco_folder() -> Path:
    """Where PaddleMIX keeps COCO: ``$PPMIX_HOME/datasets/coco``, by default in ~/.paddlemix."""
    home = os.environ.get(HOME) or "~/.paddlemix"
    return Path(home).expanduser() / "datasets" / "coco"


def read_coco(talk: Talk) -> Pairs:
    """The training part; it is downloaded (20 GB) where it is not there.

    Raises:
        NotFoundError, OfflineError, NetworkError: it is not there and can't be had.
        DigestError: the tar is another one than was recorded.
        PathError: the tar leads out of its folder, or holds links or devices.
        FormatError, DatasetError: it is damaged, or something else.
        DiskError, AccessError: as the system says.
    """
    folder = coco_folder()
    if not (folder / TRAINING).is_file():
        with locked(folder, talk.say):  # other ranks wait here
            if not (folder / TRAINING).is_file():
                _obtain(folder, talk)
    return read_json(folder / TRAINING, folder / "images")


def _obtain(folder: Path, talk: Talk) -> None:
    by_hand = (
        f"Or unpack {ADDRESS} (20 GB) so that {folder} holds annotations/ and images/, or set "
        f"{HOME} to the folder above datasets/."
    )
    if folder.exists() and any(folder.iterdir()):
        raise NotFoundError(
            "COCO's folder is there, without Karpathy's annotations",
            where=folder / TRAINING,
            remedy=f"Move it away, and it will be downloaded. {by_hand}",
        )
    tar = folder.parent / "coco.tar"
    fetched = not tar.is_file()
    if fetched:
        if switch := offline_switch():
            raise OfflineError(
                f"{switch} keeps zoo off the network, and COCO in Karpathy's split is not here",
                where=folder / TRAINING,
                remedy=f"Unset {switch}. {by_hand}",
            )
        try:
            found = download(ADDRESS, tar, talk, elsewhere=HOME)
        except NetworkError as error:
            raise NetworkError(
                error.what, where=error.where, remedy=f"{error.remedy} {by_hand}"
            ) from error
        if not found:
            raise NotFoundError("COCO is not at its address", where=ADDRESS, remedy=by_hand)
    _check_digest(tar, talk)
    _unpack(tar, folder, talk)
    if fetched:
        tar.unlink()


def _check_digest(tar: Path, talk: Talk) -> None:
    path = tar.with_name(f"{tar.name}.json")
    size = tar.stat().st_size
    with talk.progress("checking coco.tar", size, unit="B") as advance:
        now = Record(address=ADDRESS, size=size, sha256=sha256_file(tar, advance))
    if not path.is_file():
        write_atomic(path, msgspec.json.format(msgspec.json.encode(now)) + b"\n")
        talk.say(f"coco.tar: sha256 {now.sha256}, recorded in {path}")
        return
    try:
        then = msgspec.json.decode(path.read_bytes(), type=Record)
    except msgspec.MsgspecError as error:
        raise FormatError(f"damaged: {error}", where=path) from None
    if (now.size, now.sha256) != (then.size, then.sha256):
        raise DigestError(
            f"coco.tar has the sha256 {now.sha256}, and {then.sha256} was recorded",
            where=tar,
            remedy=f"If it may be another one now, remove {path}; else remove the tar.",
        )


def _unpack(tar: Path, folder: Path, talk: Talk) -> None:
    """All of it or nothing; the tar may hold the folder or what is in it."""
    size = tar.stat().st_size
    check_space(folder.parent, size, elsewhere=HOME)
    with new_folder(folder, replace=True) as partial:
        with talk.progress("unpacking coco.tar", size, unit="B") as advance:
            try:
                _extract(tar, partial, advance)
            except tarfile.FilterError as error:
                raise PathError(f"a member leads out of the tar: {error}", where=tar) from None
            except (tarfile.TarError, EOFError) as error:
                raise FormatError(f"this tar can't be read: {error}", where=tar) from None
        inner = partial / folder.name
        if inner.is_dir():
            for entry in inner.iterdir():
                entry.rename(partial / entry.name)
            inner.rmdir()
        if not (partial / TRAINING).is_file():
            raise DatasetError(f"the tar holds no {TRAINING}", where=tar)


def _extract(tar: Path, into: Path, advance: Advance) -> None:
    with tar.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            archive.members.clear()  # type: ignore[attr-defined]  # of 100,000s, which it would keep
            if not (member.isdir() or member.isreg()) or member.issparse():
                raise PathError(f"a member is no plain file: {member.name!r}", where=tar)
            archive.extract(member, into, filter="data")
            advance(member.size)
        check_end(archive, file, tar)
