"""What came of one rung, before it is numbered and sealed into evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from zoo.verify.evidence import MeasuredOn

if TYPE_CHECKING:  # it would bring numpy to whoever shows figures
    from zoo.verify.compare import LayerError


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """``figures`` and ``bounds`` are JSON values, under the same key where they meet."""

    status: Literal["pass", "fail", "not run"]
    reason: str | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    bounds: dict[str, Any] = field(default_factory=dict)
    measured_on: MeasuredOn | None = None
    layers: tuple[LayerError, ...] = ()  # for the report's plot; the figures say it in short
    aside: dict[str, Any] = field(default_factory=dict)  # what another run has otherwise: unsealed


def in_short(figures: Mapping[str, Any]) -> str:
    """Figures on one line, for people; what is a table in itself is left out."""
    shown = {key: value for key, value in figures.items() if not isinstance(value, dict | list)}
    return ", ".join(f"{key} {_number(value)}" for key, value in shown.items())


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def passed(figures: dict[str, Any], **more: Any) -> Outcome:
    return Outcome(status="pass", figures=figures, **more)


def failed(reason: str, figures: dict[str, Any] | None = None, **more: Any) -> Outcome:
    return Outcome(status="fail", reason=reason, figures=figures or {}, **more)


def not_run(reason: str) -> Outcome:
    return Outcome(status="not run", reason=reason)


NOT_ASKED = not_run("not asked for")
