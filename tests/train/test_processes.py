"""What ranks agree on; test_ranks.py, test_job.py and test_nodes.py have real ones."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from train.topology import Topology
from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
paddle = import_paddle()

from train import job, processes  # noqa: E402
from zoo.errors import CheckError, ConfigError, DatasetError  # noqa: E402

TWO = Topology(rank=0, data=2, sharding=1)


@pytest.fixture(autouse=True)
def _keep_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("other", [4, 0])
def test_ranks_that_would_go_on_from_different_steps_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, alone: Topology, other: int
) -> None:
    def all_gather(found: list[paddle.Tensor], own: paddle.Tensor) -> None:
        found += [own, paddle.to_tensor([other])]

    monkeypatch.setattr(processes.dist, "all_gather", all_gather)
    processes.check_same_step(other, TWO, tmp_path)
    processes.check_same_step(2, alone, tmp_path)
    with pytest.raises(ConfigError, match="different steps:") as refusal:
        processes.check_same_step(2, TWO, tmp_path)
    assert str(other) in str(refusal.value)


@pytest.mark.parametrize("kind", [RuntimeError, SystemError])
def test_a_lost_connection_is_told_however_it_is_wrapped(
    tmp_path: Path, kind: type[Exception]
) -> None:
    with (
        pytest.raises(CheckError, match="another process of the job is gone"),
        job.one_failure(TWO, tmp_path),
    ):
        try:
            raise RuntimeError("Read error [127.0.0.1]:41121: Connection reset by peer")
        except RuntimeError as error:
            raise kind("returned a result with an exception set") from error


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_paddle_makes_an_os_error_of_is_still_one(
    alone: Topology, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    with job.reported() as outcome, job.one_failure(alone, tmp_path):
        try:
            signal.raise_signal(sent)
        except BaseException:
            raise OSError("raises an EnforceNotMet exception") from None
    assert outcome.code == code


def test_a_bug_is_no_lost_connection(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a bug"), job.one_failure(TWO, tmp_path):
        raise RuntimeError("a bug")


def test_ranks_end_with_the_code_of_the_one_that_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with job.reported() as first, job.one_failure(replace(TWO, rank=1), tmp_path):
        raise DatasetError("no pictures")
    with job.reported() as second, job.one_failure(replace(TWO, data=3, rank=2), tmp_path):
        raise RuntimeError("Connection reset by peer")
    assert (first.code, second.code) == (4, 4)
    assert "because of rank 1: DATASET: no pictures" in capsys.readouterr().err


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_rank_that_is_told_to_stop_ends_with_143_and_so_do_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrapped: bool
) -> None:
    with job.reported() as first, job.one_failure(TWO, tmp_path):
        try:
            signal.raise_signal(signal.SIGTERM)
        except BaseException:
            if wrapped:  # as Paddle does in a backward pass
                raise OSError("raises an EnforceNotMet exception") from None
            raise
    with job.reported() as second, job.one_failure(replace(TWO, rank=1), tmp_path):
        raise RuntimeError("Connection reset by peer")
    assert (first.code, second.code) == (143, 143)
    first_said, _, second_said = capsys.readouterr().err.partition("goes on.")
    assert "rank 0 was told to stop (SIGTERM)" in first_said
    assert "rank 1 stopped with the job, because of rank 0, which was told" in second_said
