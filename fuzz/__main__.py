"""Fuzz every target for a while: ``python -m fuzz [TARGET...]``, or ``make fuzz``.

Each goes on from its corpus in fuzz/corpus, which grows; what is found lands in fuzz/finds and
stays, because tests/fuzz runs every find again. FUZZ_SECONDS is the time for each target. How many
executions there were in all the runs is kept in fuzz/executions, a file for each target, which a
run that is interrupted or killed has added to as well.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from fuzz.seeds import seeds
from fuzz.targets import TARGETS

HERE = Path(__file__).parent
EXECUTIONS = HERE / "executions"
MEMORY = Path("/dev/shm")  # a file of its own for every input: no disk would bear it
LIMITS = (
    "-timeout=10",  # seconds an input may take
    "-rss_limit_mb=1024",
    "-max_len=16384",  # bytes
)


def executions(target: str) -> int:
    """Of all runs so far."""
    path = EXECUTIONS / target
    return int(path.read_text()) if path.is_file() else 0


def fuzz(target: str, seconds: int) -> bool:
    """Whether nothing was found."""
    corpus, finds = HERE / "corpus" / target, HERE / "finds" / target
    for folder in (corpus, finds, EXECUTIONS):
        folder.mkdir(parents=True, exist_ok=True)
    for content in seeds()[target]:
        (corpus / sha256(content).hexdigest()).write_bytes(content)
    at = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="zoo-fuzz-", dir=at) as scratch:
        words = (target, EXECUTIONS / target, scratch, corpus, *LIMITS)
        limits = (f"-max_total_time={seconds}", f"-artifact_prefix={finds}/")
        ran = subprocess.run(
            [sys.executable, "-m", "fuzz.one", *words, *limits],
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    if ran.returncode:
        print(ran.stderr[-4000:], file=sys.stderr)
    return ran.returncode == 0


def main(names: list[str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, so that nothing is left
    seconds = int(os.environ.get("FUZZ_SECONDS", "60"))
    clean = True
    try:
        for name in names or TARGETS:
            before = executions(name)
            quiet = fuzz(name, seconds)
            told = f"{executions(name) - before:>12,} executions, {executions(name):,} in all runs"
            print(f"{name:<20}{told}{'' if quiet else ': a find'}", flush=True)
            clean &= quiet
    except KeyboardInterrupt:
        return 130
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
