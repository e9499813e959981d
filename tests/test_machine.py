"""Memory, cores and disk as the system and its control groups tell them."""

from pathlib import Path

import pytest
from conftest import write

from pipeline.machine import Memory, cores, free_disk, memory, nearest_existing

GIB = 2**30
MEMINFO = "MemTotal:       16777216 kB\nMemFree: 1048576 kB\nMemAvailable:    8388608 kB\n"


def system(folder: Path, groups: str, **files: object) -> Path:
    """Return a root of /proc and /sys with these control groups."""
    write(folder / "proc/meminfo", MEMINFO)
    write(folder / "proc/self/cgroup", groups)
    for name, value in files.items():
        write(
            folder / "sys/fs/cgroup" / name.replace("__", "/").replace("_dot_", "."), f"{value}\n"
        )
    return folder


def test_without_limits_the_machine_s_memory_counts(tmp_path: Path) -> None:
    assert memory(system(tmp_path, "0::/\n")) == Memory(16 * GIB, 8 * GIB)


def test_a_group_s_limit_counts_where_it_is_less(tmp_path: Path) -> None:
    limited = system(tmp_path, "0::/\n", memory_dot_max=4 * GIB, memory_dot_current=3 * GIB)
    assert memory(limited) == Memory(4 * GIB, 1 * GIB)


def test_a_group_above_limits_those_in_it(tmp_path: Path) -> None:
    limited = system(
        tmp_path,
        "0::/user/job\n",
        user__job__memory_dot_max="max",
        user__job__memory_dot_current=1,
        user__memory_dot_max=2 * GIB,
        user__memory_dot_current=GIB,
    )
    assert memory(limited) == Memory(2 * GIB, GIB)


def test_the_first_version_of_groups_is_read_as_well(tmp_path: Path) -> None:
    limited = system(
        tmp_path,
        "5:cpu:/\n4:memory:/docker/x\n0::/\n",
        memory__docker__x__memory_dot_limit_in_bytes=6 * GIB,
        memory__docker__x__memory_dot_usage_in_bytes=7 * GIB,
        memory__memory_dot_limit_in_bytes=2**63 - 4096,
        memory__memory_dot_usage_in_bytes=7 * GIB,
    )
    assert memory(limited) == Memory(6 * GIB, 0)


def test_a_system_without_proc_still_says_something_or_nothing(tmp_path: Path) -> None:
    found = memory(tmp_path)
    assert found is None or found.total >= found.free > 0


def test_this_machine_has_cores_memory_and_disk(tmp_path: Path) -> None:
    found = memory()
    assert cores() >= 1
    assert found is not None
    assert found.total >= found.free >= 0
    assert free_disk(tmp_path / "not" / "made" / "yet") > 0
    assert nearest_existing(tmp_path / "not" / "made") == tmp_path


def test_a_quota_of_cores_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert cores() == 1
