"""``zoo`` in a process that sends itself a signal at a given step.

    python -m tests.proofs.victim FOLDER STEP SIGNAL WORDS...

A step is one thing the process does to a path under a folder (or just before it exchanges two of
them), as Python's audit events tell; no code of zoo takes part. Step 0 is never reached: the
process lives, and its last line on stderr is how many steps there were.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any


def main() -> int:
    folder, last, sent = sys.argv[1], int(sys.argv[2]), signal.Signals[sys.argv[3]]
    steps = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal steps
        inside = any(folder in os.fsdecode(a) for a in arguments if isinstance(a, str | bytes))
        exchange = event == "ctypes.dlsym" and arguments[1] == "renameat2"
        if exchange or (inside and event.startswith(("open", "os.", "shutil."))):
            steps += 1
            if steps == last:
                os.kill(os.getpid(), sent)

    from zoo.cli import main as zoo

    sys.addaudithook(watch)
    code = zoo(sys.argv[4:])
    print(steps, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
