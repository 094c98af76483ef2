"""Write docs/bad-inputs.md: what zoo does with inputs that are broken or hostile.

    python -m tools.make_bad_inputs

Run it after a change to the tables in tests/bad_inputs.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.bad_inputs import network, pictures, rows
from tests.bad_inputs.case import Row
from tests.bad_inputs.sections import SECTIONS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "bad-inputs.md"
HEAD = """\
# Broken and hostile inputs

Every row is a test in `tests/bad_inputs`, which runs the command and sees that it ends with this
code and one message of these words, without a traceback; that nothing new is there and the output
that was there before is untouched; and that it takes less than two seconds of processor time. Exit
code 0 stands where the input is read after all. `python -m tools.make_bad_inputs` writes this page.
"""


def _what_happens(row: Row) -> str:
    said = " … ".join(row.says).replace("|", "\\|")
    outcome = f"`{row.name}`" if row.name else row.note or ("done" if row.code == 0 else "stopped")
    return f"{outcome}: “{said}”" if said else outcome


def _table(title: str, found: Iterable[Row]) -> str:
    lines = [
        f"## {title}\n",
        "| input | what happens | exit code |",
        "|---|---|---:|",
        *(f"| {row.input} | {_what_happens(row)} | {row.code} |" for row in found),
    ]
    return "\n".join(lines) + "\n"


def render() -> str:
    found = [(section.TITLE, section.CASES.values()) for section in SECTIONS]
    found.append((pictures.TITLE, pictures.PICTURES.values()))
    found.append((network.TITLE, network.FAULTS.values()))
    found.append((rows.TITLE, rows.ROWS.values()))
    return "\n".join([HEAD, *(_table(title, cases) for title, cases in found)])


if __name__ == "__main__":
    PAGE.write_text(render())
