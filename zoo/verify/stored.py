"""Arrays that are made once and kept in the cache, each under a digest of all it depends on."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from zoo import cache
from zoo.files import canonical_json, write_atomic
from zoo.locks import locked


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
        if not path.is_file():
            buffer = io.BytesIO()
            np.save(buffer, make())
            write_atomic(path, buffer.getvalue())
        array: NDArray[np.float32] = np.load(path, allow_pickle=False)
        return array
