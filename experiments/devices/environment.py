"""The machine a run is on: its devices, and what a run folder says of them."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from experiments.cli.flags import UsageError
from gan_jax.types import Device

PACKAGES = ("jax", "jaxlib", "flax", "optax", "chex", "numpy", "scipy")


class PlatformError(UsageError):
  """A platform that is not on this machine; the message is one line."""


def num_cores() -> int:
  """Counts the cores that this process may use."""
  allowed = len(os.sched_getaffinity(0))
  # XLA's threads keep to it too: schedulers share cores without pinning.
  reserved = os.environ.get("NPROC", "")
  if reserved.isdecimal() and int(reserved):
    return min(allowed, int(reserved))
  return allowed


def choose_devices(platform: str, num_members: int) -> list[Device]:
  """Chooses where members train, before JAX has started.

  On a CPU each core becomes a device of its own when there are members to
  share them: small networks cannot use two cores for one member, but two
  members can use one core each.

  Args:
    platform: one of `flags.PLATFORMS`; auto is JAX's first choice.
    num_members: how many members there are.

  Returns:
    Devices, no more than members.

  Raises:
    PlatformError: if the platform is not there.
  """
  configure(min(num_cores(), num_members))
  return devices_of(platform)[:num_members]


def configure(num_cpu_devices: int) -> None:
  """Prepares JAX, before it has started.

  Args:
    num_cpu_devices: into how many a CPU is divided.
  """
  jax.config.update("jax_num_cpu_devices", num_cpu_devices)
  jax.config.update("jax_compilation_cache_dir", str(_cache_folder()))


def devices_of(platform: str) -> list[Device]:
  """Returns the devices of a platform.

  Args:
    platform: one of `flags.PLATFORMS`; auto is JAX's first choice.

  Returns:
    The devices, of all processes where there are several.

  Raises:
    PlatformError: if the platform is not there.
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


def _cache_folder() -> Path:
  """Returns where compiled programs are kept between runs."""
  home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
  return Path(home) / "gan_jax" / "xla"


def describe(devices: Sequence[Device]) -> dict[str, Any]:
  """Describes the machine: `versions`, `device` and `git_commit`."""
  versions = {name: importlib.metadata.version(name) for name in PACKAGES}
  kind = devices[0].device_kind
  if devices[0].platform == "cpu":
    kind = f"cpu ({_processor()})"
  num_processes = len({device.process_index for device in devices})
  if num_processes > 1:
    kind += f" of {num_processes} processes"
  return {
    "versions": {
      "python": platform.python_version(),
      "gan_jax": importlib.metadata.version("gan_jax"),
      **versions,
    },
    "device": f"{len(devices)} x {kind}",
    "git_commit": _git_commit(),
  }


def _processor() -> str:
  """Names the processor and its cores."""
  name = platform.processor() or platform.machine()
  information = Path("/proc/cpuinfo")
  if information.exists():
    for line in information.read_text().splitlines():
      if line.startswith("model name"):
        name = line.partition(":")[2].strip()
        break
  return f"{name}, {os.cpu_count()} cores"


def _git_commit() -> str | None:
  """Returns the commit of the code, `+` appended if it was changed since.

  None where the code is not in a git checkout, or git is not installed.
  """
  command = ["git", "-C", str(Path(__file__).parent)]
  try:
    commit = subprocess.run(
      [*command, "rev-parse", "HEAD"], capture_output=True, text=True
    )
    changes = subprocess.run(
      [*command, "status", "--porcelain", "--untracked-files=no"],
      capture_output=True,
      text=True,
    )
  except FileNotFoundError:
    return None
  if commit.returncode:
    return None
  return commit.stdout.strip() + ("+" if changes.stdout.strip() else "")
