"""Arrays that are made once and kept in the cache, each under a digest of all it depends on.

Behind the array stands the sha256 of its file so far: what was damaged is made again.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo import cache
from zoo.errors import as_zoo_error
from zoo.files import canonical_json, write_atomic
from zoo.locks import locked

DIGEST = hashlib.sha256().digest_size


def stored(
    kind: str,
    made_of: Mapping[str, object],
    make: Callable[[], NDArray[np.float32]],
    waiting: Callable[[str], object],
) -> NDArray[np.float32]:
    """The array, from the cache where the very same was made before.

    Args:
        kind: its folder in the cache.
        made_of: everything that it depends on, so that it can't be another's.
        make: makes it.
        waiting: hears that another process is at it.

    Raises:
        LockError, DiskError, AccessError: as the system says.
        ZooError: what ``make`` raises.
    """
    digest = hashlib.sha256(canonical_json(dict(made_of))).hexdigest()
    path = cache.home() / kind / f"{digest}.npy"
    with cache.in_use(kind, waiting), locked(path.with_suffix(""), waiting):  # not writing's lock
        whole = _whole(path)
        if whole is None:
            buffer = io.BytesIO()
            np.save(buffer, make())
            whole = buffer.getvalue()
            write_atomic(path, whole + hashlib.sha256(whole).digest())
        array: NDArray[np.float32] = np.load(io.BytesIO(whole), allow_pickle=False)
        return array


def _whole(path: Path) -> bytes | None:
    """The array's file without its digest; None where there is none, or another was written."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise as_zoo_error(error, path) from error
    content, digest = data[:-DIGEST], data[-DIGEST:]
    return content if hashlib.sha256(content).digest() == digest else None
