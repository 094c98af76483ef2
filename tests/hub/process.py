"""Processes that fetch from a hub: huggingface_hub reads its settings once, when it is imported."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ENOUGH = 60  # seconds; a client that takes longer would wait as long as the hub asks it to


class Client:
    """A process of its own that fetches; its caches are in ``home``."""

    def __init__(self, endpoint: str, home: Path, **env: str) -> None:
        self.home = home
        self.cache = home / "hf" / "hub"
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(Path(__file__).with_name("client.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": ".",
                "HOME": str(home),
                "HF_HOME": str(home / "hf"),
                "HF_ENDPOINT": endpoint,
                "HF_HUB_ETAG_TIMEOUT": "20",
                "HF_HUB_DOWNLOAD_TIMEOUT": "20",
                "NO_PROXY": "*",
                **env,
            },
        )

    def fetch(self, repo: str, **order: Any) -> dict[str, Any]:
        self.start("fetch", repo, **order)
        return self.answer()

    def look(self, repo: str, **order: Any) -> dict[str, Any]:
        self.start("look", repo, **order)
        return self.answer()

    def start(
        self,
        do: str,
        repo: str,
        *,
        revision: str | None = None,
        family: str | None = None,
        manifest: dict[str, Any] | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        order = {
            "do": do,
            "repo": repo,
            "revision": revision,
            "family": family,
            "manifest": manifest,
            "env": env or {},
        }
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        ready, _, _ = select.select([self.process.stdout], [], [], ENOUGH)
        assert ready, f"no answer in {ENOUGH} s"
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def contents(self, repo: str) -> list[bytes]:
        """Every content that the cache has of a repository, under whatever name."""
        folder = self.cache / f"models--{repo.replace('/', '--')}"
        return [p.read_bytes() for p in folder.rglob("*") if p.is_file() and "refs" not in p.parts]

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
