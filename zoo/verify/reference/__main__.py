"""``python -m zoo.verify.reference REQUEST.json``.

stdout: JSON lines ``{"stage": "reference", "done": i, "of": n}``. A failure that the user can act
on is one line on stderr, ``zoo: NAME: what``, and the exit code of its class in zoo.errors.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from zoo.errors import UsageError, ZooError
from zoo.verify.request import PredictRequest, read_request


def main(arguments: list[str]) -> int:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when huggingface_hub is imported
    try:
        if len(arguments) != 1:
            raise UsageError("one argument is expected: the request's path")
        request = read_request(Path(arguments[0]))
        if isinstance(request, PredictRequest):
            from zoo.verify.reference.zeroshot import write_predictions

            write_predictions(request, report)
        else:
            from zoo.verify.reference.taps import write_taps

            write_taps(request, report)
    except ZooError as error:
        print(f"zoo: {error.name}: " + str(error).replace("\n", ". "), file=sys.stderr)
        return error.exit_code
    return 0


def report(done: int, of: int) -> None:
    print(json.dumps({"stage": "reference", "done": done, "of": of}), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
