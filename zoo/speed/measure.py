"""Ten seconds of measuring, and what the figures should be.

Every floor is low: a machine of the last ten years is above it when nobody else is at work on it.
Below, something is wrong that one can look for.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import ZooError, as_zoo_error
from zoo.files import check_space
from zoo.runtime import Processor, Runtime, read_processor
from zoo.speed.busy import BUSY, cores_in_use
from zoo.speed.product import GFLOP, repeat

BLOCK = 256 * 2**20  # bytes: more than a cache holds
SECONDS = 0.5  # of repeating what is short
TIMEOUT = 60.0  # seconds that a process for the matrix product may take

# Operations of one core in one cycle. One unit for AVX2's fused multiply-add does 16; with AVX-512
# or two units there are 32 to 64.
PER_CYCLE = 16
GIVEN_MHZ = 2000.0  # where Linux does not say
# GB/s
MEMORY_FLOOR = 2.0
DIGEST_FLOOR, QUICK_DIGEST_FLOOR = 0.2, 0.8  # without and with the processor's SHA instructions
DISK_FLOOR = 0.1

SLOW_DISK = "Set ZOO_HOME to a folder on a faster disk; this one bounds zoo convert."
SLOW_DIGEST = "Python's OpenSSL makes no use of the processor; digests bound zoo convert."
SLOW_MEMORY = "Look for other programs, or for a limit that a container or hypervisor sets."
SLOW_PRODUCT = "Look for a limit that a container or hypervisor sets on the processor's time."


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measurement.

    Attributes:
        unit: GFLOP/s or GB/s.
        floor: what the machine should give at least; None: shown for comparison only.
        value: None where it could not be measured.
        remedy: what to do where it is below the floor, or why there is no value.
    """

    name: str
    unit: str
    value: float | None
    floor: float | None = None
    remedy: str | None = None

    @property
    def ok(self) -> bool:
        return self.value is not None and (self.floor is None or self.value >= self.floor)


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What the machine gave.

    Attributes:
        others: cores that were in use by others when it began.
        cores: that there are.
    """

    figures: tuple[Figure, ...]
    others: float
    cores: int

    @property
    def busy(self) -> bool:
        """Whether that was enough to make the figures less than they could be."""
        return self.others > BUSY

    @property
    def ok(self) -> bool:
        return all(figure.ok for figure in self.figures)


def measure(folder: Path, runtime: Runtime, told: Callable[[str], object]) -> Speed:
    """Measures for about ten seconds.

    Args:
        folder: on the disk that is written to, such as the cache; it has to exist.
        runtime: what ``zoo.runtime.prepare`` set.
        told: hears what is being measured.
    """
    others, processor = cores_in_use(), read_processor()
    cores = processor.cores if processor else os.cpu_count() or 1
    told("matrix product")
    product = _product(os.environ)
    told("matrix product, Paddle as installed")
    plain = _product(_without(os.environ, runtime), "--plain")
    told("memory, digest, disk")
    figures = (
        judge_product(product, plain, processor, runtime),
        plain,
        _copy(),
        _digest(processor),
        _write(folder),
    )
    return Speed(figures=figures, others=others, cores=cores)


def judge_product(
    product: Figure, plain: Figure, processor: Processor | None, runtime: Runtime
) -> Figure:
    """The product with its floor: what the processor should give, and what Paddle gives without
    zoo's settings."""
    if product.value is None:
        return product
    cores = processor.cores if processor else 1
    floor = 1e-3 * PER_CYCLE * cores * read_mhz()
    theirs = [s.name for s in runtime.settings if s.origin.startswith("user")]
    theirs = [name for name in theirs if name in ("OMP_NUM_THREADS", "MKL_DEBUG_CPU_TYPE")]
    remedy = f"Unset {' and '.join(theirs)}; zoo would choose." if theirs else SLOW_PRODUCT
    return Figure(
        name=product.name,
        unit=product.unit,
        value=product.value,
        floor=max(floor, 0.9 * (plain.value or 0.0)),
        remedy=remedy,
    )


def read_mhz(path: Path = Path("/proc/cpuinfo")) -> float:
    """The processor's clock as Linux gives it; under a hypervisor often the nominal one."""
    try:
        lines = [line for line in path.read_text().splitlines() if line.startswith("cpu MHz")]
        return max(float(line.partition(":")[2]) for line in lines)
    except (OSError, ValueError):
        return GIVEN_MHZ


def _without(environment: Mapping[str, str], runtime: Runtime) -> dict[str, str]:
    """The environment as it was before zoo set anything."""
    ours = {setting.name for setting in runtime.settings if setting.origin == "zoo"}
    return {name: value for name, value in environment.items() if name not in ours}


def _product(environment: Mapping[str, str], *words: str) -> Figure:
    name = "Paddle as installed" if words else "matrix product"
    command = [sys.executable, "-m", "zoo.speed.product", *words]
    try:
        done = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return Figure(name=name, unit="GFLOP/s", value=None, remedy=f"no answer in {TIMEOUT:.0f} s")
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return Figure(name=name, unit="GFLOP/s", value=None, remedy=said)
    seconds = statistics.median(json.loads(done.stdout.splitlines()[-1]))
    return Figure(name=name, unit="GFLOP/s", value=GFLOP / seconds)


def _copy() -> Figure:
    source, target = np.ones(BLOCK, np.uint8), np.zeros(BLOCK, np.uint8)
    seconds = repeat(lambda _: np.copyto(target, source), SECONDS)
    return _bytes("memory copy", BLOCK, seconds, MEMORY_FLOOR, SLOW_MEMORY)


def _digest(processor: Processor | None) -> Figure:
    block = bytes(BLOCK // 8)
    seconds = repeat(lambda _: hashlib.sha256().update(block), SECONDS)
    quick = processor is not None and "sha_ni" in processor.flags
    floor = QUICK_DIGEST_FLOOR if quick else DIGEST_FLOOR
    return _bytes("sha256", len(block), seconds, floor, SLOW_DIGEST)


def _bytes(name: str, size: int, seconds: list[float], floor: float, remedy: str) -> Figure:
    value = 1e-9 * size / statistics.median(seconds)
    return Figure(name=name, unit="GB/s", value=value, floor=floor, remedy=remedy)


def _write(folder: Path) -> Figure:
    """A file of BLOCK bytes on the disk, not only in the system's memory."""
    try:
        check_space(folder, 2 * BLOCK, elsewhere="ZOO_HOME")
        block = np.random.default_rng(0).bytes(BLOCK)  # nothing that a file system would squeeze
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            started = time.perf_counter()
            left = memoryview(block)
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
            seconds = time.perf_counter() - started
    except (OSError, ZooError) as error:
        why = as_zoo_error(error, folder) if isinstance(error, OSError) else error
        return Figure(name="disk write", unit="GB/s", value=None, remedy=why.what)
    return _bytes("disk write", BLOCK, [seconds], DISK_FLOOR, SLOW_DISK)
