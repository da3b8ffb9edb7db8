"""What the machine has, told by files that stand for its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from dragkit import machine

HERE = torch.get_default_device()


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine of eight processors, two to a core, all of them ours, in no container."""
    for name in ("MEMINFO", "GROUPS"):
        monkeypatch.setattr(machine, name, tmp_path / name.lower())
    for name in ("CGROUP", "CPUS"):
        monkeypatch.setattr(machine, name, tmp_path / name.lower())
        (tmp_path / name.lower()).mkdir()
    for cpu in range(8):
        write(tmp_path / f"cpus/cpu{cpu}/topology/thread_siblings_list", f"{cpu % 4},{cpu % 4 + 4}\n")
    may_run_on(monkeypatch, range(8))
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def may_run_on(monkeypatch: pytest.MonkeyPatch, cpus: range) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(cpus), raising=False)


def test_free_memory_of_machine_and_container(folder: Path) -> None:
    write(folder / "meminfo", "MemTotal: 9000 kB\nMemAvailable:    2000 kB\n")
    assert machine.free(HERE) == 2000 * 1024
    write(folder / "cgroup/memory.max", "1000000\n")
    write(folder / "cgroup/memory.current", "400000\n")
    write(folder / "cgroup/memory.stat", "anon 1\ninactive_file 100000\n")
    assert machine.free(HERE) == 700000
    write(folder / "cgroup/memory.max", "max\n")
    assert machine.free(HERE) == 2000 * 1024


def test_what_does_not_fit_is_refused(folder: Path) -> None:
    write(folder / "meminfo", f"MemAvailable: {3 * 2**20} kB\n")
    machine.require(3 * 2**30, HERE, "this")
    with pytest.raises(ValueError, match=r"this needs about 3\.5 GiB but 3\.0 GiB are free on cpu; give a smaller"):
        machine.require(3.5 * 2**30, HERE, "this")


def test_threads_of_one_core_count_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.cores() == 4
    may_run_on(monkeypatch, range(3, 8))  # of four cores, of one both threads
    assert machine.cores() == 4
    may_run_on(monkeypatch, range(4, 6))
    assert machine.cores() == 2
    monkeypatch.setattr(machine, "CPUS", folder / "nowhere")
    may_run_on(monkeypatch, range(7))
    assert machine.cores() == 7


def test_a_system_without_affinity_counts_its_processors(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert machine.cores() == 6


@pytest.mark.parametrize(
    ("told", "cores"),
    [("200000 100000\n", 2), ("max 100000\n", 4), ("350000 100000\n", 3), ("50000 100000\n", 1), ("nonsense", 4)],
)
def test_a_container_of_version_2(folder: Path, told: str, cores: int) -> None:
    write(folder / "groups", "0::/\n")
    write(folder / "cgroup/cpu.max", told)
    assert machine.cores() == cores


@pytest.mark.parametrize(("quota", "cores"), [(200000, 2), (-1, 4), (900000, 4)])
def test_a_container_of_version_1(folder: Path, quota: int, cores: int) -> None:
    """Its group's own folder is not seen from inside."""
    write(folder / "groups", "5:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n3:cpuset:/\n")
    write(folder / "cgroup/cpu,cpuacct/cpu.cfs_quota_us", f"{quota}\n")
    write(folder / "cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    assert machine.cores() == cores


def test_a_group_within_a_group_has_the_smaller_share(folder: Path) -> None:
    write(folder / "groups", "0::/work/job\n")
    write(folder / "cgroup/work/job/cpu.max", "max 100000\n")
    write(folder / "cgroup/work/cpu.max", "300000 100000\n")
    assert machine.cores() == 3
    write(folder / "cgroup/work/job/cpu.max", "200000 100000\n")
    assert machine.cores() == 2


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Three threads of torch, for as long as a test lasts."""
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("there", "taken"), [(2, 2), (64, 3)])
def test_torch_takes_the_cores_and_never_more_than_it_would(
    threads: None, monkeypatch: pytest.MonkeyPatch, there: int, taken: int
) -> None:
    monkeypatch.setattr(machine, "cores", lambda: there)
    machine.take_cores()
    assert torch.get_num_threads() == taken
    seen: list[int] = []
    worker = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))  # as the studio's
    worker.start()
    worker.join()
    assert seen == [taken]


def test_people_have_the_last_word_on_threads(threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    machine.take_cores()
    assert torch.get_num_threads() == 3
