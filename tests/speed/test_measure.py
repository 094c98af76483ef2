"""What a machine gives, and when it is told that this is not enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.runtime import Processor, Runtime, Setting
from zoo.speed import measure as measuring
from zoo.speed.measure import Figure, Speed, judge_product, measure, read_mhz
from zoo.speed.product import GFLOP, product, repeat

PROCESSOR = Processor(vendor="AuthenticAMD", flags=frozenset({"avx2"}), cores=2)


def runtime(**origins: str) -> Runtime:
    settings = tuple(
        Setting(name=name, value="1", origin=origin, reason="")  # type: ignore[arg-type]
        for name, origin in origins.items()
    )
    return Runtime(settings=settings, threads=2, device=None, late=False)


def gflops(value: float | None) -> Figure:
    return Figure(name="matrix product", unit="GFLOP/s", value=value, remedy="why")


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "read_mhz", lambda: 2500.0)


@pytest.mark.parametrize(("value", "ok"), [(80.0, True), (79.0, False)])
def test_a_product_is_judged_by_the_processor(value: float, ok: bool) -> None:
    """Two cores at 2.5 GHz, 16 operations a cycle: 80 GFLOP/s."""
    judged = judge_product(gflops(value), gflops(40.0), PROCESSOR, runtime())
    assert judged.floor == pytest.approx(80.0) and judged.ok == ok


def test_settings_that_make_it_slower_are_seen() -> None:
    judged = judge_product(gflops(100.0), gflops(200.0), PROCESSOR, runtime())
    assert not judged.ok


def test_a_users_own_setting_is_named() -> None:
    own = runtime(OMP_NUM_THREADS="user", MKL_DEBUG_CPU_TYPE="zoo")
    judged = judge_product(gflops(10.0), gflops(10.0), PROCESSOR, own)
    assert judged.remedy == "Unset OMP_NUM_THREADS; zoo would choose."


def test_a_product_that_was_not_measured_says_why() -> None:
    judged = judge_product(gflops(None), gflops(None), PROCESSOR, runtime())
    assert not judged.ok and judged.remedy == "why"


def test_the_environment_of_paddle_as_installed_has_nothing_of_zoos() -> None:
    own = runtime(OMP_NUM_THREADS="zoo", MKL_DEBUG_CPU_TYPE="user")
    before = {"OMP_NUM_THREADS": "2", "MKL_DEBUG_CPU_TYPE": "5", "HOME": "/"}
    assert measuring._without(before, own) == {"MKL_DEBUG_CPU_TYPE": "5", "HOME": "/"}


def test_the_clock_is_the_fastest_processors(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text("cpu MHz\t\t: 2000.5\n\ncpu MHz\t\t: 3000.5\n")
    assert read_mhz(path) == 3000.5
    assert read_mhz(tmp_path / "absent") == measuring.GIVEN_MHZ


def test_an_idle_machine_is_judged_and_a_busy_one_is_excused() -> None:
    assert not Speed(figures=(), others=0.1, cores=2).busy
    assert Speed(figures=(), others=0.6, cores=2).busy


@pytest.mark.paddle
def test_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "BLOCK", 16 * 2**20)
    monkeypatch.setattr(measuring, "SECONDS", 0.05)
    told: list[str] = []
    speed = measure(tmp_path, runtime(), told.append)
    values = {figure.name: figure.value for figure in speed.figures}
    assert list(values) == [
        "matrix product",
        "Paddle as installed",
        "memory copy",
        "sha256",
        "disk write",
    ]
    assert all(value is not None and value > 0.001 for value in values.values())
    assert not list(tmp_path.iterdir()) and told


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "BLOCK", 2**60)
    figure = measuring._write(tmp_path)
    assert figure.value is None and figure.remedy and "are needed" in figure.remedy


@pytest.mark.paddle
def test_the_product_is_repeated_for_as_long_as_it_is_told() -> None:
    times = repeat(product(), 0.2)
    assert 0.1 < sum(times) < 5 and pytest.approx(7.55, rel=0.01) == GFLOP
