"""The report is one page that needs no network and escapes what it shows."""

from __future__ import annotations

import math
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from zoo.verify import evidence
from zoo.verify.compare import LayerError
from zoo.verify.controls import Caught
from zoo.verify.evidence import Subject
from zoo.verify.ladder import NAMES, number
from zoo.verify.outcome import not_run, passed
from zoo.verify.plot import plot_layers
from zoo.verify.report import write_report
from zoo.verify.run import Result

LAYERS = tuple(
    LayerError(layer=name, ours=ours, reference=2e-7, largest=1e-6)
    for name, ours in (
        *(("visual.embed", 1e-7), ("visual.block.0", 3e-7), ("visual.features", 9e-3)),
        *(("text.embed", 0.0), ("text.features", math.inf), ("logits", 2e-7)),
    )
)


class Page(HTMLParser):
    """Counts tags, checks that they nest, and collects addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br", "hr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def result(model: str) -> Result:
    outcomes = {name: not_run("not asked for") for name in NAMES}
    outcomes["parity"] = passed({"layers": 6, "per layer": {}}, layers=LAYERS)
    sealed = evidence.seal(
        subject=Subject(id=model, tensors_digest="ab" * 32, config_digest="cd" * 32),
        environment={"python": "3.11"},
        command=["zoo", "verify"],
        rungs=number(outcomes),
    )
    control = Caught(name="q and k swapped", rung="parity", caught=True, factor=1e6, reason="far")
    return Result(
        folder=Path("x"),
        evidence=sealed,
        outcomes=outcomes,
        controls=(control,),
        manifest=None,
        status=evidence.status(sealed, subject=sealed.subject, top1_claim=None),
    )


def test_the_page(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, [result("a"), result("<script>alert(1)</script>")])
    text = path.read_text()
    page = Page()
    page.feed(text)
    assert not page.open and not page.addresses and "script" not in page.count
    assert "http" not in text and "url(" not in text
    assert page.count["svg"] == 2 and page.count["circle"] == 2 * len(LAYERS)
    assert text.count("Status: <strong>claimed</strong>") == 2
    assert text.count("no rung passed") == 2, "parity stands on three that were not climbed"


@pytest.mark.parametrize(
    ("caught", "said"), [(True, "caught"), (False, "missed"), (None, "not run")]
)
def test_what_became_of_a_control(tmp_path: Path, caught: bool | None, said: str) -> None:
    found = result("a")
    control = replace(found.controls[0], caught=caught)
    write_report(tmp_path / "report.html", [replace(found, controls=(control,))])
    page = (tmp_path / "report.html").read_text().partition("Negative controls")[2]
    assert f'<span class="{said.replace(" ", "-")}">{said}</span>' in page


def test_a_layer_outside_the_band_is_marked() -> None:
    svg = plot_layers(LAYERS)
    assert svg.count('class="out"') == 2 and svg.count('class="in"') == 4
    assert "visual.features: ours 0.009" in svg and "inf" not in svg.split("<title>")[0]
