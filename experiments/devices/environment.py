"""Chooses devices, and describes the machine for the run folder."""

import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

import gan_jax
from experiments.errors import UsageError
from gan_jax.types import Device

PACKAGES = ("jax", "jaxlib", "flax", "optax", "chex", "numpy", "scipy")


class PlatformError(UsageError):
  """A platform that this machine does not have; the message is one line."""


def num_cores() -> int:
  """Returns the number of cores that this process may use."""
  allowed = len(os.sched_getaffinity(0))
  # XLA obeys NPROC too. Schedulers share cores without pinning processes.
  reserved = os.environ.get("NPROC", "")
  if reserved.isdecimal() and int(reserved):
    return min(allowed, int(reserved))
  return allowed


def choose_devices(platform: str, num_members: int) -> list[Device]:
  """Chooses at most one device for each member, before JAX has started.

  On a CPU each core becomes a device, as long as there are members for it: a
  small network cannot use two cores, but two members can use one core each.

  Args:
    platform: one of `flags.PLATFORMS`; auto is JAX's first choice.
    num_members: number of members that train together.

  Raises:
    PlatformError: if this machine does not have the platform.
  """
  configure(min(num_cores(), num_members))
  return devices_of(platform)[:num_members]


def configure(num_cpu_devices: int) -> None:
  """Sets the number of CPU devices and the cache, before JAX has started."""
  home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
  cache = Path(home) / "gan_jax" / "xla"
  jax.config.update("jax_num_cpu_devices", num_cpu_devices)
  jax.config.update("jax_compilation_cache_dir", str(cache))


def devices_of(platform: str) -> list[Device]:
  """Returns the devices of a platform in all processes.

  Args:
    platform: one of `flags.PLATFORMS`; auto is JAX's first choice.

  Raises:
    PlatformError: if this machine does not have the platform.
  """
  try:
    return jax.devices(None if platform == "auto" else platform)
  except RuntimeError:
    here = sorted({device.platform for device in jax.devices()} | {"cpu"})
    raise PlatformError(
      f"--platform={platform} is not on this machine; here: {', '.join(here)}"
    ) from None


def memory(device: Device) -> int:
  """Returns the bytes of memory of a device; cores share the machine's."""
  limit = (device.memory_stats() or {}).get("bytes_limit")
  if limit is not None and device.platform != "cpu":
    return limit
  return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def versions() -> dict[str, str]:
  """Returns the versions of this library and of the packages that it uses."""
  packages = {name: importlib.metadata.version(name) for name in PACKAGES}
  return {"gan_jax": gan_jax.__version__, **packages}


def describe(devices: Sequence[Device]) -> dict[str, Any]:
  """Describes the machine: `versions`, `device` and `git_commit`."""
  kind = devices[0].device_kind
  if devices[0].platform == "cpu":
    kind = f"cpu ({_processor()})"
  num_processes = len({device.process_index for device in devices})
  if num_processes > 1:
    kind += f" of {num_processes} processes"
  return {
    "versions": {"python": platform.python_version(), **versions()},
    "device": f"{len(devices)} x {kind}",
    "git_commit": _git_commit(),
  }


def _processor() -> str:
  """Returns the name of the processor and its number of cores."""
  information = Path("/proc/cpuinfo")
  text = information.read_text() if information.exists() else ""
  model = re.search(r"^model name\s*: *(.*)", text, re.MULTILINE)
  name = model[1] if model else platform.processor() or platform.machine()
  return f"{name}, {os.cpu_count()} cores"


def _git_commit() -> str | None:
  """Returns the commit of the code, with `+` if tracked files have changed.

  The result is None outside of a git checkout or without git.
  """
  flags = ("--always", "--abbrev=40", "--exclude=*", "--dirty=+")
  command = ["git", "-C", str(Path(__file__).parent), "describe", *flags]
  try:
    described = subprocess.run(command, capture_output=True, text=True)
  except FileNotFoundError:
    return None
  return described.stdout.strip() or None
