from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

import zoo.cli
from zoo.cli import COMMANDS, Interrupted
from zoo.errors import ConfigError
from zoo.version import VERSION

Run = Callable[..., Any]
HEAVY = {"numpy", "ml_dtypes", "paddle", "torch", "rich", "PIL", "huggingface_hub", "msgspec"}


def loaded_by(*argv: str) -> set[str]:
    """The modules of a process that ran ``zoo`` with these words."""
    command = [sys.executable, "-X", "importtime", "-m", "zoo", *argv]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines() if "|" in line}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any], Any]], None]:
    """Puts a function in the place of ``zoo list``."""

    def install(run: Callable[[Any], Any]) -> None:
        module = SimpleNamespace(EXAMPLES="", configure=lambda parser: None, run=run)
        monkeypatch.setitem(sys.modules, "zoo.cli.list", module)

    return install


@pytest.mark.parametrize("argv", [(), ("--help",), ("-h",)])
def test_help_names_every_command_and_exit_code(run_zoo: Run, argv: tuple[str, ...]) -> None:
    ran = run_zoo(*argv)
    assert (ran.code, ran.stderr) == (0, "")
    for name, summary in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(summary)}$", ran.stdout, re.MULTILINE)
    assert "8 a rung that was asked for did not run, 130 and 143 signals" in ran.stdout


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_into_80_columns_and_shows_examples(
    run_zoo: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ran = run_zoo(*([name] if name else []), "--help")
    assert ran.code == 0
    assert max(map(len, ran.stdout.splitlines())) <= 80
    if name:
        assert f"examples:\n  zoo {name}" in ran.stdout
        for flag in ("--json", "-q, --quiet", "-v, --verbose", "--debug"):
            assert flag in ran.stdout


def test_help_imports_nothing_heavy() -> None:
    loaded = loaded_by("--help")
    assert "zoo.cli" in loaded
    assert not {name.partition(".")[0] for name in loaded} & HEAVY


def test_converting_imports_no_framework(tmp_path: Path) -> None:
    loaded = loaded_by("convert", "tiny-digits", "--out", str(tmp_path / "out"))
    assert "zoo.convert.writer" in loaded
    assert not {name.partition(".")[0] for name in loaded} & {"paddle", "torch", "open_clip"}


def test_version(run_zoo: Run) -> None:
    assert run_zoo("--version") == (0, f"zoo {VERSION}\n", "")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["conver"], "Did you mean: zoo convert"),
        (["xyz"], "See: zoo --help"),
        (["--json", "list"], "--json stands before any command"),
        (["list", "--nothing"], "unrecognized arguments: --nothing\nSee: zoo list --help"),
        (["list", "--jso"], "unrecognized arguments: --jso"),  # no abbreviations
        (["list", "-q", "-v"], "not allowed with"),
        (["diff", "a"], "required: B"),
        (["list", "\udcff"], r"an argument is not UTF-8 (\udcff)"),
    ],
)
def test_a_call_that_means_nothing_is_exit_2(run_zoo: Run, argv: list[str], said: str) -> None:
    ran = run_zoo(*argv)
    assert (ran.code, ran.stderr.partition(": ")[0]) == (2, "zoo")
    assert ran.stderr.startswith("zoo: USAGE: ")
    assert said in ran.stderr


ERROR = ConfigError("it is \x1b[31mred", where="a\x07b", remedy="Mend it.\nThen go on.")


def fail(_: Any) -> NoReturn:
    raise ERROR


def test_a_failure_is_one_message(run_zoo: Run, command: Callable[[Any], None]) -> None:
    command(fail)
    ran = run_zoo("list")
    text = "zoo: CONFIG: it is \\x1b[31mred (a\\x07b)\nMend it.\nThen go on.\n"
    assert ran == (4, "", text)
    assert run_zoo("list", "-q") == ran


def test_a_failure_is_one_document_too(run_zoo: Run, command: Callable[[Any], None]) -> None:
    command(fail)
    ran = run_zoo("list", "--json")
    assert ran.code == 4
    assert json.loads(ran.stdout) == {
        "schema_version": 1,
        "error": {
            "name": "CONFIG",
            "what": ERROR.what,
            "where": ERROR.where,
            "remedy": ERROR.remedy,
            "exit_code": 4,
        },
    }
    document = json.loads(run_zoo("nothing", "--json").stdout)
    assert (document["error"]["name"], document["error"]["exit_code"]) == ("USAGE", 2)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ValueError("five"), 1, "zoo: UNEXPECTED: ValueError: five\nThis is a bug in zoo"),
        (PermissionError(13, "Denied", "/f"), 7, "zoo: PERMISSION: no permission: Denied (/f)"),
        (OSError(5, "Input/output error"), 7, "zoo: DISK: reading or writing failed"),
    ],
)
def test_bugs_are_told_from_what_the_system_refuses(
    run_zoo: Run, command: Callable[[Any], None], error: Exception, code: int, said: str
) -> None:
    def run(_: Any) -> NoReturn:
        raise error

    command(run)
    ran = run_zoo("list")
    assert (ran.code, ran.stdout) == (code, "")
    assert ran.stderr.startswith(said)
    assert json.loads(run_zoo("list", "--json").stdout)["error"]["exit_code"] == code
    with pytest.raises(type(error)):
        run_zoo("list", "--debug")


@pytest.mark.parametrize(("signal", "code"), [(KeyboardInterrupt, 130), (Interrupted, 143)])
def test_a_signal_has_its_exit_code(
    run_zoo: Run, command: Callable[[Any], None], signal: type[BaseException], code: int
) -> None:
    def run(_: Any) -> NoReturn:
        raise signal

    command(run)
    assert run_zoo("list") == (code, "", "\ninterrupted; nothing unfinished was left behind\n")


def test_a_command_knows_its_words(run_zoo: Run, command: Callable[[Any], None]) -> None:
    words: list[tuple[str, ...]] = []

    def run(args: Any) -> int:
        words.append(args.command)
        return 0

    command(run)
    run_zoo("list", "-v")
    assert words == [("zoo", "list", "-v")]


def test_a_reader_that_goes_is_no_failure(tmp_path: Path) -> None:
    command = f"{sys.executable} -m zoo list | true; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_module_and_the_script_are_one_command() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "zoo", "nothing"], capture_output=True, text=True, env=os.environ
    )
    assert (ran.returncode, ran.stderr[:12]) == (2, "zoo: USAGE: ")
    assert callable(zoo.cli.main)
