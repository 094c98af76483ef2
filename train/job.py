"""How a job of several processes fails: in one message, of the rank that failed first."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from train.topology import Topology
from zoo.cli.output import printable
from zoo.errors import CheckError, ZooError
from zoo.files import as_zoo_error

FAILURE_NAME = "failure.txt"
GRACE = 2.0  # seconds that a rank whose peer has gone waits for the peer's own word


@dataclass
class Outcome:
    code: int = 0


@contextmanager
def reported() -> Iterator[Outcome]:
    """Turns a ZooError into a message and an exit code; anything else is a bug, with traceback."""
    outcome = Outcome()
    try:
        yield outcome
    except ZooError as error:
        print(printable(f"zoo: {error.name}: {error}"), file=sys.stderr, flush=True)
        outcome.code = error.exit_code
    except OSError as error:
        told = as_zoo_error(error, None)
        print(printable(f"zoo: {told.name}: {told}"), file=sys.stderr, flush=True)
        outcome.code = told.exit_code


@contextmanager
def one_failure(topology: Topology, output: Path) -> Iterator[None]:
    """Of the ranks that fail together, the first one's reason is everyone's.

    A rank that fails by itself leaves its reason in the output; the others, whose collectives then
    fail, find it there.

    Raises:
        CheckError: another rank failed.
    """
    path = output / FAILURE_NAME
    if topology.world == 1:
        yield
        return
    if topology.rank == 0:
        path.unlink(missing_ok=True)
    try:
        yield
    except ZooError as error:
        _leave(path, f"rank {topology.rank}: {error.name}: {error}")
        raise
    except RuntimeError as error:  # what Paddle's collectives raise when a peer has gone
        time.sleep(GRACE)
        if path.is_file():
            reason = path.read_text(encoding="utf-8")
            raise CheckError(f"rank {topology.rank} stopped because of {reason}") from None
        if "connection" in str(error).lower() or "peer" in str(error).lower():
            raise CheckError(
                f"rank {topology.rank} stopped because another process of the job is gone",
                remedy="Its log (workerlog.N of the launcher's --log_dir) may say why.",
            ) from error
        _leave(path, f"rank {topology.rank}: {error}")
        raise


def _leave(path: Path, reason: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(reason)
    except OSError:  # another rank was first, or the disk is what failed
        pass
