"""How much memory is free, and one clear sentence before the work starts where it will not do."""

from __future__ import annotations

import os
from pathlib import Path

import torch

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")  # a container's own limit (version 2)


def free(device: torch.device) -> int | None:
    """Free bytes on a device, or None where nobody can tell; a device without its own memory shares the machine's."""
    module = None if device == torch.get_default_device() else torch.get_device_module(device)
    if module is not None and hasattr(module, "mem_get_info"):
        cached = module.memory_reserved(device) - module.memory_allocated(device)  # torch's own, reusable
        return int(module.mem_get_info(device)[0]) + int(cached)
    found = [value for value in (_machine(), _container()) if value is not None]
    return min(found, default=None)


def require(need: float, device: torch.device, what: str) -> None:
    """Check that `need` bytes are free on the device.

    Raises:
        ValueError: naming what needs how much, and what is there.
    """
    there = free(device)
    if there is not None and need > there:
        raise ValueError(
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
