"""One target, until its time is over or it finds something: ``python -m fuzz.one TARGET ...``.

What follows the target are libFuzzer's own arguments.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["zoo", "fuzz.targets"]):
    from fuzz.targets import TARGETS
    from zoo.errors import ZooError

MEMORY = Path("/dev/shm")  # a file of its own for every input: no disk would bear it


def main() -> None:
    target = TARGETS[sys.argv[1]]
    at = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="zoo-fuzz-", dir=at) as folder:
        path = Path(folder) / "input"

        def test_one_input(data: bytes) -> None:
            path.write_bytes(data)
            try:
                target(path)
            except ZooError as error:
                assert str(error) and error.name != "UNEXPECTED"

        atheris.Setup([sys.argv[0], *sys.argv[2:]], test_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
