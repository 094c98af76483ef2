"""Fuzz every target for a while: ``python -m fuzz [TARGET...]``, or ``make fuzz``.

Each goes on from its corpus in fuzz/corpus, which grows; what is found lands in fuzz/finds and
stays, because tests/fuzz runs every find again. FUZZ_SECONDS is the time for each target.
Executions are added up in fuzz/executions.json.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from fuzz.seeds import seeds
from fuzz.targets import TARGETS

HERE = Path(__file__).parent
EXECUTIONS = HERE / "executions.json"
LIMITS = (
    "-timeout=10",  # seconds an input may take
    "-rss_limit_mb=1024",
    "-max_len=16384",  # bytes
)


def fuzz(target: str, seconds: int) -> tuple[int, bool]:
    """Executions, and whether nothing was found."""
    corpus, finds = HERE / "corpus" / target, HERE / "finds" / target
    for folder in (corpus, finds):
        folder.mkdir(parents=True, exist_ok=True)
    for content in seeds()[target]:
        (corpus / sha256(content).hexdigest()).write_bytes(content)
    words = ("-print_final_stats=1", f"-max_total_time={seconds}", f"-artifact_prefix={finds}/")
    ran = subprocess.run(
        [sys.executable, "-m", "fuzz.one", target, corpus, *words, *LIMITS],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    counted = re.search(r"stat::number_of_executed_units:\s*(\d+)", ran.stderr)
    if ran.returncode:
        print(ran.stderr[-4000:], file=sys.stderr)
    return int(counted[1]) if counted else 0, ran.returncode == 0


def main(names: list[str]) -> int:
    seconds = int(os.environ.get("FUZZ_SECONDS", "60"))
    clean = True
    for name in names or TARGETS:
        executions, quiet = fuzz(name, seconds)
        found = json.loads(EXECUTIONS.read_text()) if EXECUTIONS.is_file() else {}
        found[name] = found.get(name, 0) + executions
        EXECUTIONS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
        print(f"{name:<18}{executions:>12,} executions{'' if quiet else ': a find'}", flush=True)
        clean &= quiet
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
