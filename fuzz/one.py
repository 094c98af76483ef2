"""One target, until its time is over or it finds something.

    python -m fuzz.one TARGET EXECUTIONS FOLDER ...

EXECUTIONS is the file that counts them, FOLDER a place for inputs; what follows are libFuzzer's own
arguments.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["zoo", "fuzz.targets", "tomllib"]):
    from fuzz.targets import TARGETS
    from zoo.errors import ZooError

from fuzz.mutators import mutate  # what makes inputs does not count as covered

EVERY = 100  # executions; what a process that is killed has not yet counted


def main() -> None:
    name, counts, folder, *words = sys.argv[1:]
    target = TARGETS[name]
    path = Path(folder) / "input"
    counter = os.open(counts, os.O_RDWR | os.O_CREAT, 0o644)
    count = int(os.read(counter, 20) or 0)

    def test_one_input(data: bytes) -> None:
        nonlocal count
        count += 1
        if count % EVERY == 0:
            os.pwrite(counter, str(count).encode(), 0)
        path.write_bytes(data)
        try:
            target(path)
        except ZooError as error:
            assert str(error) and error.name != "UNEXPECTED"

    def another(data: bytes, longest: int, seed: int) -> bytes:
        def change(part: bytes) -> bytes:
            changed: bytes = atheris.Mutate(part, len(part) + 64)
            return changed

        return mutate(name, data, random.Random(seed), change)[:longest]

    atheris.Setup([sys.argv[0], *words], test_one_input, custom_mutator=another)
    atheris.Fuzz()


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
