from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zoo import runtime
from zoo.errors import NotFoundError
from zoo.runtime import Processor, plan

AVX512 = frozenset({"avx2", "avx512f"})
NAMES = (
    "OMP_NUM_THREADS",
    "MKL_DEBUG_CPU_TYPE",
    "NVIDIA_TF32_OVERRIDE",
    "FLAGS_eager_delete_tensor_gb",
)


@pytest.fixture(autouse=True)
def nothing_set_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests made zoo set in this process is forgotten."""
    monkeypatch.setattr(runtime, "_ours", {})


def amd(flags: frozenset[str] = AVX512, vendor: str = "AuthenticAMD") -> Processor:
    return Processor(vendor=vendor, flags=flags, cores=6)


SIX_CORES = amd()


def planned(environment=None, processor=SIX_CORES, *, parity=False, late=False):
    settings = plan(environment or {}, processor, parity=parity, late=late)
    return {setting.name: setting for setting in settings}


@pytest.mark.parametrize(
    ("processor", "value"),
    [
        (SIX_CORES, "7"),
        (amd(frozenset({"avx2"})), "5"),
        (amd(frozenset({"sse4_2"})), None),
        (amd(vendor="GenuineIntel"), None),
        (None, None),
    ],
    ids=["avx512", "avx2", "neither", "intel", "unknown"],
)
def test_the_code_path_is_one_the_processor_has(processor, value):
    setting = planned(processor=processor)["MKL_DEBUG_CPU_TYPE"]
    assert setting.value == value
    assert setting.origin == ("zoo" if value else "not needed")


def test_one_thread_for_each_core():
    assert planned()["OMP_NUM_THREADS"].value == "6"
    assert planned(processor=None)["OMP_NUM_THREADS"].value is None


def test_tf32_is_switched_off_for_parity_alone():
    assert planned()["NVIDIA_TF32_OVERRIDE"].value is None
    assert planned(parity=True)["NVIDIA_TF32_OVERRIDE"].value == "0"


def test_what_the_user_has_set_stays():
    theirs = dict.fromkeys(planned(), "3")
    for setting in planned(theirs, parity=True).values():
        assert (setting.value, setting.origin) == ("3", "user")


def test_glibcs_tunables_are_the_users_too():
    for name, tunable in (
        ("MALLOC_TRIM_THRESHOLD_", "glibc.malloc.hugetlb=1:glibc.malloc.trim_threshold=1"),
        ("MALLOC_MMAP_MAX_", "glibc.malloc.mmap_max=9"),
    ):
        settings = planned({"GLIBC_TUNABLES": tunable})
        assert (settings[name].value, settings[name].origin) == (tunable, "user")
        origins = [s.origin for s in settings.values() if s.name != name and s.value is not None]
        assert {*origins} == {"zoo"} and len(origins) == 4


def test_a_late_start_does_not_blame_the_user():
    settings = planned({"OMP_NUM_THREADS": "1", "NVIDIA_TF32_OVERRIDE": "1"}, late=True)
    assert settings["OMP_NUM_THREADS"].origin == "user or paddle"
    assert settings["NVIDIA_TF32_OVERRIDE"].origin == "user"


CPUINFO = """\
processor\t: {0}
vendor_id\t: AuthenticAMD
physical id\t: 0
core id\t\t: {1}
flags\t\t: fpu avx2
"""


def test_hyperthreads_of_one_core_count_once(tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    path.write_text("\n".join(CPUINFO.format(i, i // 2) for i in range(8)))
    monkeypatch.setattr(runtime, "_quota", lambda: None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert runtime.read_processor(path) == Processor(
        vendor="AuthenticAMD", flags=frozenset({"fpu", "avx2"}), cores=4
    )
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert runtime.read_processor(path).cores == 2
    monkeypatch.setattr(runtime, "_quota", lambda: 1)
    assert runtime.read_processor(path).cores == 1


def test_processors_without_cores_count_each(tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    path.write_text("\n\n".join(f"processor : {i}\nFeatures : fp asimd" for i in range(3)))
    monkeypatch.setattr(runtime, "_quota", lambda: None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(3)), raising=False)
    assert runtime.read_processor(path).cores == 3


def test_no_cpuinfo_no_processor(tmp_path):
    assert runtime.read_processor(tmp_path / "cpuinfo") is None


@pytest.mark.parametrize(
    ("files", "processors"),
    [
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "250000 100000"}, 3),
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "150000", "cpu/cpu.cfs_period_us": "100000"}, 2),
        ({}, None),
    ],
)
def test_a_containers_limit(files, processors, tmp_path):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert runtime._quota(tmp_path) == processors


def test_a_missing_paddle_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "paddle", None)
    monkeypatch.setattr(runtime, "prepare", lambda *, parity: None)
    with pytest.raises(NotFoundError, match=r"paddle-clip-zoo\[cpu\]"):
        runtime.import_paddle()


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A new interpreter in which nothing that runtime sets is set, but for ``environment``."""
    ours = {name for name in os.environ if name in NAMES or name.startswith("MALLOC_")}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**kept, **environment},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )


SHOW = """
import dataclasses, json, os
from zoo.runtime import import_paddle, prepare
{0}
print(json.dumps([dataclasses.asdict(prepare()), dict(os.environ)]))
"""


@pytest.mark.paddle
def test_paddle_is_imported_prepared_and_silent():
    done = run(SHOW.format("import_paddle()"))
    assert done.stderr == ""
    report, environment = json.loads(done.stdout)
    settings = {setting["name"]: setting for setting in report["settings"]}
    expected = plan({}, runtime.read_processor(), parity=False, late=False)
    for setting in expected:
        assert settings[setting.name]["value"] == setting.value
        assert settings[setting.name]["origin"] == setting.origin
    for name in NAMES:
        assert environment.get(name) == settings[name]["value"]
    assert report["threads"] == int(environment["OMP_NUM_THREADS"])
    assert report["device"].startswith(("cpu", "gpu"))
    assert report["late"] is False


@pytest.mark.paddle
def test_the_users_threads_are_paddles_threads():
    report, environment = json.loads(
        run(SHOW.format("import_paddle()"), OMP_NUM_THREADS="1").stdout
    )
    assert environment["OMP_NUM_THREADS"] == "1" and report["threads"] == 1
    assert report["settings"][0]["origin"] == "user"


@pytest.mark.paddle
def test_a_paddle_that_was_there_before_is_told_of():
    early = "import warnings; warnings.simplefilter('ignore'); import paddle\n"
    report, _ = json.loads(run(early + SHOW.format("")).stdout)
    assert report["late"] is True
    assert report["settings"][0]["origin"] == "user or paddle"


@pytest.mark.paddle
@pytest.mark.parametrize(
    "first", ["", "import warnings; warnings.simplefilter('ignore'); import paddle"]
)
def test_programs_free_their_tensors_together(first):
    code = f"""
{first}
from zoo.runtime import import_paddle
print(import_paddle().get_flags("FLAGS_eager_delete_tensor_gb"))
"""
    assert run(code).stdout == "{'FLAGS_eager_delete_tensor_gb': 0.002}\n"
    theirs = run(code, FLAGS_eager_delete_tensor_gb="0.5").stdout
    assert theirs == "{'FLAGS_eager_delete_tensor_gb': 0.5}\n"


def test_looking_does_not_import_paddle():
    code = "import sys; from zoo.runtime import prepare; print(prepare().device, *sys.modules)"
    device, *modules = run(code).stdout.split()
    assert device == "None" and "paddle" not in modules


@pytest.mark.paddle
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="page faults are counted on Linux")
def test_freed_memory_is_kept():
    """A tensor of 64 MB is 16,384 pages; made again and again, it must not fault them each time."""
    code = """
import resource
from zoo.runtime import import_paddle
paddle = import_paddle()
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
x = paddle.ones([16, 1024, 1024])
for _ in range(4): y = x + x; del y
before = faults()
for _ in range(4): y = x + x; del y
print(faults() - before)
"""
    assert int(run(code).stdout) < 4 * 16384 / 2
    unset = run(code, MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_MAX_="65536").stdout
    assert int(unset) > 4 * 16384 / 2, "what the user has set still holds"
