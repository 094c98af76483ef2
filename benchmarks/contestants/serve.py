"""``python -m benchmarks.contestants.serve MODULE OPTIONS``: does what it is told, line by line.

Requests and answers are JSON lines, see ``benchmarks.contestant``. What libraries print goes to
stderr.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
Works = dict[str, Callable[[Any], Any]]


def serve(works: Works, request: dict[str, Any]) -> dict[str, Any]:
    """Answers one request: seconds per call, of as many calls as it takes."""
    work, given = works[request["work"]], _read(request["given"])
    calls, started = 0, time.perf_counter()
    while True:
        result = work(given)
        calls += 1
        seconds = time.perf_counter() - started
        if seconds >= request["shortest"]:
            break
    if request["save"]:
        np.save(request["save"], result)
    return {"seconds": seconds / calls, "calls": calls}


def _read(path: str | None) -> Any:
    if path is None:
        return None
    if path.endswith(".json"):
        return json.loads(Path(path).read_text())
    loaded = np.load(path)
    return loaded if isinstance(loaded, np.ndarray) else dict(loaded)


def main() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a stopped process can't see it
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(message: dict[str, Any]) -> None:
        print(json.dumps(message), file=answers, flush=True)

    module, options = sys.argv[1], json.loads(sys.argv[2])
    try:
        works: Works = import_module(f"benchmarks.contestants.{module}").prepare(**options)
        answer({"ready": sorted(works)})
        for line in sys.stdin:
            answer(serve(works, json.loads(line)))
    except Exception as error:  # whatever a library raises is the contestant's failure
        answer({"failed": f"{type(error).__name__}: {str(error)[:300]}"})
        raise


if __name__ == "__main__":
    main()
