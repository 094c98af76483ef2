from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import pytest
from rich.table import Table

from zoo.cli import main
from zoo.cli.output import Output, printable

COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|9[0-7])[0-9;]*m")
Capture = pytest.CaptureFixture[str]


def made(*, json: bool = False, quiet: bool = False, verbose: bool = False) -> Output:
    return Output(Namespace(json=json, quiet=quiet, verbose=verbose))


def in_a_terminal(tmp_path: Path, **environment: str) -> str:
    """What ``zoo convert`` writes to a stderr that is a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "zoo", "convert", "tiny-digits", "--force", "--out", "out"]
    env = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "CI")}
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**env, "TERM": "xterm-256color", **environment},
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the terminal's other end is closed
                break
            shown += part
        assert process.stdout and process.stdout.read() == b"out\n"
    os.close(ours)
    assert process.returncode == 0
    return shown.decode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢 😀\nline", "plain é 漢 😀\nline"),
        ("\x1b[31mred\x07\r\t\x00", "\\x1b[31mred\\x07\\r\\t\\x00"),
        ("a\u202eb\u200b\ud800", "a\\u202eb\\u200b\\ud800"),
    ],
)
def test_what_could_steer_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_data_goes_to_stdout_and_talk_to_stderr(capsys: Capture) -> None:
    out = made()
    out.data("data")
    out.say("talk\x1b[0m")
    out.detail("detail")
    assert capsys.readouterr() == ("data\n", "talk\\x1b[0m\n")
    made(verbose=True).detail("detail")
    assert capsys.readouterr() == ("", "detail\n")


def test_quiet_is_quiet_but_for_data(capsys: Capture) -> None:
    out = made(quiet=True)
    out.data("data")
    out.say("talk")
    out.fail("failure\x07")
    out.table(Table("talk"), stderr=True)
    with out.progress("work", 1) as advance:
        advance(1)
    assert capsys.readouterr() == ("data\n", "failure\\x07\n")


def test_a_document_has_a_schema_version(capsys: Capture) -> None:
    made(json=True).document({"name": "é"})
    text = capsys.readouterr().out
    assert json.loads(text) == {"schema_version": 1, "name": "é"}
    assert "é" in text


@pytest.mark.parametrize("stderr", [False, True])
def test_a_table_goes_where_it_belongs(capsys: Capture, stderr: bool) -> None:
    table = Table("column")
    table.add_row("value")
    made().table(table, stderr=stderr)
    captured = capsys.readouterr()
    assert "value" in (captured.err if stderr else captured.out)
    assert (captured.out if stderr else captured.err) == ""


def test_without_a_terminal_progress_is_a_line_now_and_then(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 1.0, 11.0, 12.0, 22.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with made().progress("converting", 200, unit="B") as advance:
        for _ in range(4):
            advance(50)
    assert capsys.readouterr() == ("", "converting: 50 %\nconverting: 100 %\n")


def test_with_json_there_is_no_progress(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 100.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with made(json=True).progress("converting", 2) as advance:
        advance(1)
    assert capsys.readouterr() == ("", "")


def test_in_a_terminal_progress_is_drawn_and_removed(tmp_path: Path) -> None:
    shown = in_a_terminal(tmp_path)
    assert "converting" in shown
    assert "\x1b[2K" in shown  # the line is erased
    assert COLOUR.search(shown)


def test_no_color_counts(tmp_path: Path) -> None:
    shown = in_a_terminal(tmp_path, NO_COLOR="1")
    assert "converting" in shown
    assert not COLOUR.search(shown)


def test_a_table_s_lines_end_where_their_text_does(capsys: Capture) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("a", "a long cell")
    table.add_row("b", "c")
    made().table(table)
    assert capsys.readouterr().out.split("\n") == ["a  a long cell", "b  c", ""]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cache"], "required: ls|rm\n"),
        (["convert"], "See: zoo convert --help"),
        (["sign", "./nothing", "--key", "k"], "there is no such folder (nothing)"),
    ],
)
def test_wrong_usage_is_told_truly(capsys: Capture, words: list[str], said: str) -> None:
    assert main(words) != 0
    assert said in capsys.readouterr().err


def test_data_and_talk_keep_their_order_in_one_file() -> None:
    """As in ``zoo verify ... > log 2>&1``: what was found comes before how it ends."""
    program = (
        "import sys, zoo.cli.list as command, zoo.cli\n"
        "from zoo.cli.output import Output\n"
        "def run(args):\n"
        "    out = Output(args)\n"
        "    out.data('found'); out.say('and'); out.data('more')\n"
        "    raise ValueError('end')\n"
        "command.run = run\n"
        "sys.exit(zoo.cli.main(['list']))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert ran.stdout.startswith("found\nand\nmore\nzoo: UNEXPECTED: ValueError: end\n")


@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("nothing", "--json")])
def test_a_full_disk_behind_stdout_is_exit_7_and_no_more(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "zoo", *words], stdout=full, stderr=subprocess.PIPE, text=True
        )
    if words[0] == "nothing":
        assert ran.returncode == 2 and ran.stderr.startswith("zoo: USAGE")
    else:
        assert ran.returncode == 7 and ran.stderr.startswith("zoo: DISK: the disk is full")
    assert ran.stderr.count("\n") == 2
