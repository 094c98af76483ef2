"""A process that uses zoo.hub, told what to do by lines of JSON, and answering with such.

huggingface_hub reads its environment when it is imported, so every environment is a process.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from zoo.errors import ZooError
from zoo.hub import client, download, remote
from zoo.manifest import Manifest, registry
from zoo.manifest.entry import Source

client.WAITS = (0.01, 0.02, 0.03)  # seconds; the tests have no time to be patient


class Listener:
    """Keeps what is said, and how far each progress came."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.progresses: list[dict[str, Any]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    @contextmanager
    def progress(
        self, label: str, total: int, *, unit: str = ""
    ) -> Iterator[Callable[[int], None]]:
        record: dict[str, Any] = {"label": label, "total": total, "done": 0, "unit": unit}
        self.progresses.append(record)

        def advance(amount: int) -> None:
            record["done"] += amount

        yield advance


def manifest(source: dict[str, Any] | None) -> Manifest | None:
    if source is None:
        return None
    return msgspec.structs.replace(registry().manifests[0], source=Source(**source))


def work(order: dict[str, Any]) -> dict[str, Any]:
    os.environ.update(order["env"])
    what = {"revision": order["revision"], "family": order["family"]}
    listener = Listener()
    answer: dict[str, Any] = {"said": listener.said, "progresses": listener.progresses}
    try:
        entry = manifest(order["manifest"])
        if order["do"] == "fetch":
            fetched = download.fetch(order["repo"], manifest=entry, talk=listener, **what)
            answer["result"] = {
                "folder": str(fetched.folder),
                "commit": fetched.commit,
                "family": fetched.family,
                "files": msgspec.to_builtins(fetched.files),
            }
        else:
            seen = remote.look(order["repo"], manifest=entry, talk=listener, **what)
            answer["result"] = {
                "commit": seen.commit,
                "family": seen.family,
                "configs": [str(path) for path in seen.configs],
                "weights": seen.weights,
                "nbytes": seen.nbytes,
                "received": seen.received,
                "format": seen.checkpoint.format,
                "tensors": {
                    name: [str(info.dtype), list(info.shape)]
                    for name, info in seen.checkpoint.tensors.items()
                },
            }
    except ZooError as error:
        answer["error"] = {
            "name": error.name,
            "what": error.what,
            "where": error.where,
            "remedy": error.remedy,
        }
    except KeyboardInterrupt:
        answer["error"] = {"name": "INTERRUPTED"}
    for name in order["env"]:
        del os.environ[name]
    return answer


for line in sys.stdin:
    print(json.dumps(work(json.loads(line))), flush=True)
