"""What must be set before paddle is imported, found out for this machine.

Paddle sets OMP_NUM_THREADS=1 on import unless it is set. Its wheel carries MKL 2019, which takes a
slow path on processors that are not Intel's unless MKL_DEBUG_CPU_TYPE names a fast one. And glibc
gives freed memory back to the system, which costs a page fault for every 4 KiB of the next tensor.
Paddle Inference frees each tensor by a thread that spins on a core where products run. What the
user has set stays as it is.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import math
import os
import platform
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Literal

from zoo.errors import UsageError, missing_library

Origin = Literal["user", "user or paddle", "zoo", "not needed"]

# glibc's variables: mallopt's number for each (<malloc.h>), and the value that keeps memory.
_MALLOC = {
    "MALLOC_TRIM_THRESHOLD_": (-1, 2**31 - 1),
    "MALLOC_MMAP_MAX_": (-4, 0),
}
_FREE_AT = "FLAGS_eager_delete_tensor_gb"
REFUSALS = (ValueError, OSError, RuntimeError)  # what Paddle raises of a device it has not
_PADDLE_CHATTER = ("WARNING: OMP_NUM_THREADS", "PLEASE USE OMP_NUM_THREADS")

_ours: dict[str, str] = {}  # what zoo has set in this process


@dataclass(frozen=True, kw_only=True)
class Processor:
    """``cores`` are the physical ones that this process may use."""

    vendor: str
    flags: frozenset[str]
    cores: int


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One variable: its value (None: not set), who set it, and why."""

    name: str
    value: str | None
    origin: Origin
    reason: str


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What paddle runs with.

    Attributes:
        settings: every variable that zoo looks at.
        threads: how many threads paddle multiplies with.
        device: paddle's default device, such as ``cpu`` or ``gpu:0``; None until it is imported.
        late: paddle had been imported before. OMP_NUM_THREADS then is what paddle made of it, and
            the rest counts only if nothing had been computed.
    """

    settings: tuple[Setting, ...]
    threads: int
    device: str | None
    late: bool


def no_device(name: str, error: Exception) -> UsageError:
    """What Paddle's refusal of a device means for a user."""
    return UsageError(
        f"this Paddle has no device {name!r}: {str(error).splitlines()[0]}",
        remedy="Leave the device out, or install the Paddle that is built for it (README.md); "
        "`zoo doctor` shows what there is.",
    )


def prepare(*, parity: bool = False) -> Runtime:
    """Sets what paddle needs, and says what holds; may be called again, also to look only.

    Args:
        parity: also switch TF32 off, which rounds float32 products on NVIDIA's processors.
    """
    late = _paddle_was_first()
    settings = plan(os.environ, read_processor(), parity=parity, late=late)
    for setting in settings:
        if setting.origin == "zoo" and setting.value is not None:
            _set(setting.name, setting.value)
    paddle = sys.modules.get("paddle")
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return Runtime(
        settings=settings,
        threads=int(threads) if threads.isdecimal() else 1,  # as paddle reads it
        device=None if paddle is None else str(paddle.device.get_device()),
        late=late,
    )


@cache
def _paddle_was_first() -> bool:
    return "paddle" in sys.modules


def import_paddle(*, parity: bool = False) -> ModuleType:
    """paddle, imported after ``prepare``, without what it prints on the way.

    Raises:
        NotFoundError: paddle is not installed.
    """
    prepare(parity=parity)
    try:
        with _without_chatter():
            return import_module("paddle")
    except ModuleNotFoundError as error:
        raise missing_library("paddle", "cpu", "running a model") from error


def plan(
    environment: Mapping[str, str], processor: Processor | None, *, parity: bool, late: bool
) -> tuple[Setting, ...]:
    """Every variable as it is or as it should be; ``processor`` None: not known, nothing to set."""
    wanted = (
        _threads(processor),
        _code_path(processor),
        _tf32(parity),
        *(_keep_freed(name) for name in _MALLOC),
        _free_together(),
    )
    return tuple(_reconcile(setting, environment, late) for setting in wanted)


def _reconcile(setting: Setting, environment: Mapping[str, str], late: bool) -> Setting:
    name, value = setting.name, environment.get(setting.name)
    if name in _MALLOC and _tunable(name) in (tunables := environment.get("GLIBC_TUNABLES", "")):
        value = tunables
    if value is None or _ours.get(name) == value:
        return setting
    if late and name == "OMP_NUM_THREADS":
        reason = "paddle was imported before, and sets it if it is not set"
        return Setting(name=name, value=value, origin="user or paddle", reason=reason)
    return Setting(name=name, value=value, origin="user", reason="set in the environment")


def _threads(processor: Processor | None) -> Setting:
    name = "OMP_NUM_THREADS"
    if processor is None:
        return Setting(name=name, value=None, origin="not needed", reason="no /proc/cpuinfo here")
    reason = "one thread for each physical core; paddle would take one in all"
    return Setting(name=name, value=str(processor.cores), origin="zoo", reason=reason)


def _code_path(processor: Processor | None) -> Setting:
    name = "MKL_DEBUG_CPU_TYPE"
    if processor is not None and processor.vendor == "AuthenticAMD":
        for value, flag in (("7", "avx512f"), ("5", "avx2")):
            if flag in processor.flags:
                reason = f"MKL's {flag} path, which it takes by itself on Intel only"
                return Setting(name=name, value=value, origin="zoo", reason=reason)
    return Setting(
        name=name, value=None, origin="not needed", reason="no AMD processor with AVX2 or AVX-512"
    )


def _tf32(parity: bool) -> Setting:
    name = "NVIDIA_TF32_OVERRIDE"
    if parity or name in _ours:
        reason = "a parity run: TF32 would round float32"
        return Setting(name=name, value="0", origin="zoo", reason=reason)
    return Setting(name=name, value=None, origin="not needed", reason="no parity run")


def _keep_freed(name: str) -> Setting:
    if platform.libc_ver()[0] != "glibc":
        return Setting(name=name, value=None, origin="not needed", reason="not glibc")
    reason = "freed memory is kept for the next tensor"
    return Setting(name=name, value=str(_MALLOC[name][1]), origin="zoo", reason=reason)


def _free_together() -> Setting:
    reason = "a program's tensors are freed 2 MB at a time; its thread for that slows products"
    return Setting(name=_FREE_AT, value="0.002", origin="zoo", reason=reason)


def _tunable(name: str) -> str:
    """glibc's other name for a variable of malloc's, in GLIBC_TUNABLES."""
    return "glibc.malloc." + name.removeprefix("MALLOC_").removesuffix("_").lower()


def _set(name: str, value: str) -> None:
    if name in _MALLOC:  # glibc has read its variables when the process began
        ctypes.CDLL(None).mallopt(*_MALLOC[name])
    else:
        os.environ[name] = value
    if name == _FREE_AT and (paddle := sys.modules.get("paddle")):  # which has read its variables
        paddle.set_flags({name: float(value)})
    _ours[name] = value


def read_processor(path: Path = Path("/proc/cpuinfo")) -> Processor | None:
    """The processor as Linux describes it; None elsewhere."""
    try:
        text = path.read_text()
    except OSError:
        return None
    entries = [
        dict(_field(line) for line in block.splitlines()) for block in text.strip().split("\n\n")
    ]
    allowed = os.sched_getaffinity(0)
    entries = [entry for entry in entries if int(entry.get("processor", -1)) in allowed]
    # Where the kernel names no cores, as on ARM, every processor counts as one.
    cores = {(e.get("physical id"), e.get("core id", e["processor"])) for e in entries}
    if not cores:
        return None
    first = entries[0]
    return Processor(
        vendor=first.get("vendor_id", ""),
        flags=frozenset(first.get("flags", "").split()),
        cores=min(len(cores), _quota() or len(cores)),
    )


def _quota(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """How many processors' time a container may use, rounded up; None without a limit."""
    quota, period = root / "cpu/cpu.cfs_quota_us", root / "cpu/cpu.cfs_period_us"
    for files in ([root / "cpu.max"], [quota, period]):  # control groups of version 2, and of 1
        try:
            limit, per = " ".join(file.read_text() for file in files).split()
        except OSError:
            continue
        return None if limit in ("max", "-1") else math.ceil(int(limit) / int(per))
    return None


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Paddle warns of threads that were asked for, and of a compiler cache that nobody needs."""
    captured = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(captured):
            warnings.filterwarnings("ignore", message="No ccache found")
            yield
    finally:
        lines = captured.getvalue().splitlines(keepends=True)
        sys.stderr.writelines(line for line in lines if not line.startswith(_PADDLE_CHATTER))
