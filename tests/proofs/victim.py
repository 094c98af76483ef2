"""A program in a process that sends itself a signal at a given step.

    python -m tests.proofs.victim FOLDER STEP SIGNAL MODULE WORDS...

A step is one thing the process does to a path under a folder (or just before it exchanges two of
them), as Python's audit events tell; no code of the program takes part. Step 0 is never reached:
the process lives, and its last line on stderr is how many steps there were.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from typing import Any


def main() -> None:
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

    module, *words = sys.argv[4:]
    sys.argv = [module, *words]
    sys.addaudithook(watch)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        print(steps, file=sys.stderr)


if __name__ == "__main__":
    main()
