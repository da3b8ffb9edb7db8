"""How much memory is free, with one clear sentence before the work starts where it will not do, and how many cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import torch

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")  # a container's own limits
GROUPS = Path("/proc/self/cgroup")  # which of them this process is in
CPUS = Path("/sys/devices/system/cpu")


class Shortage(ValueError):
    """Less memory is free than the work will need: one sentence."""


def accelerates(device: torch.device) -> bool:
    """Whether a device is another than torch's default one: with arithmetic, and mostly memory, of its own."""
    return device.type != torch.get_default_device().type


def free(device: torch.device) -> int | None:
    """Free bytes on a device, or None where nobody can tell; a device without its own memory shares the machine's."""
    module = torch.get_device_module(device) if accelerates(device) else None
    if module is not None and hasattr(module, "mem_get_info"):
        cached = module.memory_reserved(device) - module.memory_allocated(device)  # torch's own, reusable
        return int(module.mem_get_info(device)[0]) + int(cached)
    found = [value for value in (_machine(), _container()) if value is not None]
    return min(found, default=None)


def require(need: float, device: torch.device, what: str) -> None:
    """Check that `need` bytes are free on the device.

    Raises:
        Shortage: naming what needs how much, and what is there.
    """
    there = free(device)
    if there is not None and need > there:
        raise Shortage(
            f"{what} needs about {need / 2**30:.1f} GiB but {there / 2**30:.1f} GiB are free on {device}; "
            "give a smaller picture, a smaller --dtype or another --device"
        )


def _machine() -> int | None:
    """Bytes that the system can hand out without swapping."""
    try:
        for line in MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not on this system
        return None


def _container() -> int | None:
    """Bytes left under a container's limit; pages of files that it would give back count as free."""
    try:
        limit = int((CGROUP / "memory.max").read_text())  # "max" without a limit: ValueError
        used = int((CGROUP / "memory.current").read_text())
        stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        return limit - used + int(stat.get("inactive_file", 0))
    except (OSError, ValueError):
        return None


def cores() -> int:
    """How many cores this process may keep busy: those it may run on, two threads of one core once, within the time
    that its container may take."""
    try:
        count = _physical(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        count = os.cpu_count() or 1
    shares = [share for group in _groups() if (share := _share(group)) is not None]
    return max(1, int(min([count, *shares])))  # with a thread more, all would wait for the one that is held back


def take_cores() -> None:
    """Let torch use the cores there are and no more, unless OMP_NUM_THREADS says how many.

    For a program to call before it works: it holds for the whole process, so a library does not.
    """
    if not os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(min(torch.get_num_threads(), cores()))


def _physical(cpus: set[int]) -> int:
    """How many cores these processors are threads of; as many as there are where nobody can tell."""
    try:
        return len({(CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text() for cpu in cpus})
    except OSError:
        return len(cpus)


def _groups() -> Iterator[Path]:
    """Folders of the control groups that this process is in and of those around them, of version 2 and 1; in a
    container only the outermost may be there."""
    try:
        lines = GROUPS.read_text().splitlines()
    except OSError:
        return
    for _, kinds, path in (line.split(":", 2) for line in lines):
        root = CGROUP / kinds  # version 2 names no kind
        group = root / path.lstrip("/")
        yield from (group, *(outer for outer in group.parents if outer.is_relative_to(root)))


def _share(group: Path) -> float | None:
    """How many cores' time a control group may take, None without a limit."""
    try:
        if (file := group / "cpu.max").exists():
            quota, period = file.read_text().split()
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(quota) / int(period) if int(quota) > 0 else None  # "max": ValueError
    except (OSError, ValueError):
        return None
