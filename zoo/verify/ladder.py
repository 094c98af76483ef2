"""The ladder: six rungs in order, each a proof that stands on the ones below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from zoo.errors import DatasetError, ZooError
from zoo.verify.bench import Bench, Unavailable
from zoo.verify.evidence import Rung
from zoo.verify.outcome import NOT_ASKED, Outcome, failed, not_run

RUNGS: Mapping[str, Callable[[Bench], Outcome]] = {
    "files": Bench.files,
    "structure": Bench.structure,
    "roundtrip": Bench.roundtrip,
    "parity": Bench.parity,
    "pipeline": Bench.pipeline,
    "zero-shot": Bench.zero_shot,
}
NAMES = tuple(RUNGS)


def climb(bench: Bench, upto: str) -> dict[str, Outcome]:
    """Runs the rungs up to ``upto``; what stands on a failed rung does not run.

    A rung that lacks what it needs did not run, and the next one may still.
    """
    asked = NAMES[: NAMES.index(upto) + 1]
    outcomes: dict[str, Outcome] = {}
    for name in NAMES:
        broken = next((rung for rung, o in outcomes.items() if o.status == "fail"), None)
        if name not in asked:
            outcomes[name] = NOT_ASKED
        elif broken:
            outcomes[name] = not_run(f"it stands on {broken}, which failed")
        else:
            outcomes[name] = attempt(RUNGS[name], bench)
    return outcomes


def attempt(rung: Callable[[Bench], Outcome], bench: Bench) -> Outcome:
    """One rung's outcome, whatever happens to it.

    Raises:
        DatasetError: a data set that is not what it should be says nothing of the model.
    """
    try:
        return rung(bench)
    except Unavailable as lack:
        return not_run(str(lack))
    except DatasetError:
        raise
    except ZooError as error:
        return failed(str(error))


def number(outcomes: Mapping[str, Outcome]) -> tuple[Rung, ...]:
    """The outcomes as evidence records them."""
    return tuple(
        Rung(
            number=place,
            name=name,
            status=outcome.status,
            reason=outcome.reason,
            figures=outcome.figures,
            bounds=outcome.bounds,
            measured_on=outcome.measured_on,
        )
        for place, (name, outcome) in enumerate(outcomes.items(), start=1)
    )
