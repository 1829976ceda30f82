"""What this machine and this installation offer, for ``describe``."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from mewm.actions.base import load_action_base
from mewm.assistant.choose import assistant_names
from mewm.dynamics.choose import dynamics_names
from mewm.exploration import Models
from mewm.explore.settings import LIMITS, ExploreSettings
from mewm.run_manifest import NOTICE, model_hashes, versions
from mewm.survival.choose import survival_names
from mewm.worker.options import DEVICES, SEARCHES
from mewm.worker.policy import policy_names


def describe(models: Models) -> dict[str, Any]:
    """Return the result of ``describe`` (docs/worker.md)."""
    hashes = model_hashes(models)
    total, free = memory_mb()
    return {
        "versions": versions(),
        "python": sys.executable,
        "device": {
            "name": platform.processor() or platform.machine(),
            "kind": "cpu",
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "memory_mb": total,
            "memory_free_mb": free,
        },
        "devices": list(DEVICES),
        "models": {role: {"name": name, "sha256": hashes.get(role)} for role, name in models.names.items()},
        "dynamics": dynamics_names(),
        "survival": survival_names(),
        "assistants": assistant_names(),
        "policies": policy_names(),
        "searches": list(SEARCHES),
        "settings": {
            field.name: {"default": field.default, "low": LIMITS[field.name][0], "high": LIMITS[field.name][1]}
            for field in fields(ExploreSettings)
            if field.name in LIMITS
        },
        "agents": [
            {"id": agent.id, "name": agent.name, "kind": agent.kind} for agent in load_action_base().agents.values()
        ],
        "notice": NOTICE,
    }


def memory_mb() -> tuple[int | None, int | None]:
    """Return memory in all and available, in MiB; ``None`` where the system does not tell without a library."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        values = {line.split(":")[0]: int(line.split()[1]) // 1024 for line in lines}
        return values["MemTotal"], values["MemAvailable"]
    except (OSError, ValueError, KeyError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20, None
    except (AttributeError, ValueError, OSError):
        return None, None
