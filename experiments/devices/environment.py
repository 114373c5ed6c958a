"""Chooses devices, and describes the machine for the run folder."""

import importlib.metadata
import os
import platform
import re
import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

import gan_jax
from experiments.cli import console
from experiments.datasets.cache import cache_dir
from experiments.errors import UsageError
from gan_jax.types import Device

PACKAGES = ("jax", "jaxlib", "flax", "optax", "chex", "numpy", "scipy")


CACHE_BYTES = 2**31
"""Bytes of compiled programs that are kept."""
_PINNED = {
  "jax_enable_x64": False,
  "jax_default_prng_impl": "threefry2x32",
  "jax_threefry_partitionable": True,
  "jax_default_matmul_precision": None,
}
"""Options of JAX that change what a seed means, whatever the environment."""
_DAMAGED_PROGRAM = re.compile(
  "Error reading persistent compilation cache entry for '(.*?)'"
)
_UNWRITTEN_PROGRAM = re.compile("Error writing persistent compilation cache")


class PlatformError(UsageError):
  """A platform that this machine does not have; the message is one line."""


def num_threads() -> int:
  """Returns the number of threads that JAX computes with on a CPU."""
  # The variable that XLA reads too.
  wanted = os.environ.get("NPROC", "")
  if wanted.isdecimal() and int(wanted):
    return int(wanted)
  return len(os.sched_getaffinity(0))


def set_threads(count: int) -> None:
  """Sets the number of threads, before JAX has started; 0 changes nothing.

  XLA adds in parts, one for each thread, so the bits depend on it.
  """
  if count:
    os.environ["NPROC"] = str(count)


def choose_devices(platform: str, num_members: int) -> list[Device]:
  """Chooses at most one device for each member, before JAX has started.

  On a CPU each thread becomes a device, as long as there are members for it: a
  small network cannot use two cores, but two members can use one core each.

  Args:
    platform: one of `flags.PLATFORMS`; auto is JAX's first choice.
    num_members: number of members that train together.

  Raises:
    PlatformError: if this machine does not have the platform.
  """
  configure(min(num_threads(), num_members))
  return devices_of(platform)[:num_members]


def configure(num_cpu_devices: int) -> None:
  """Sets the number of CPU devices and the cache, before JAX has started."""
  jax.config.update("jax_num_cpu_devices", num_cpu_devices)
  for name, value in _PINNED.items():
    jax.config.update(name, value)
  folder = cache_dir() / "xla"
  try:
    folder.mkdir(parents=True, exist_ok=True)
    _limit_size(folder)
  except OSError as error:
    console.say(f"compiled programs are not cached, since {folder}: {error}")
    return
  jax.config.update("jax_compilation_cache_dir", str(folder))
  _replace_damaged_programs(folder)


def _limit_size(folder: Path) -> None:
  """Removes the cached programs that were used longest ago."""
  files = [(path.stat(), path) for path in folder.iterdir()]
  excess = sum(status.st_size for status, _ in files) - CACHE_BYTES
  for status, path in sorted(files, key=lambda each: each[0].st_atime):
    if excess <= 0:
      break
    path.unlink(missing_ok=True)
    excess -= status.st_size


def _replace_damaged_programs(folder: Path) -> None:
  """Has JAX write a cached program again that it warns of.

  JAX would leave a damaged file, and warn at each start.
  """
  show = warnings.showwarning
  has_failed = False

  def show_others(message, *args, **kwargs):
    nonlocal has_failed
    damaged = _DAMAGED_PROGRAM.match(str(message))
    if damaged:
      # It is removed before JAX writes what it compiles instead.
      for path in folder.glob(f"{damaged[1]}-*"):
        path.unlink(missing_ok=True)
    elif _UNWRITTEN_PROGRAM.match(str(message)):
      if not has_failed:
        console.say(f"compiled programs are not cached: {message}")
      has_failed = True
    else:
      show(message, *args, **kwargs)

  warnings.showwarning = show_others


def devices_of(platform: str) -> list[Device]:
  """Returns the devices of a platform in all processes.

  Args:
    platform: one of `flags.PLATFORMS`; auto is JAX's first choice.

  Raises:
    PlatformError: if this machine does not have the platform.
  """
  if platform == "cpu":
    # Otherwise JAX would start all that JAX_PLATFORMS names.
    jax.config.update("jax_platforms", "cpu")
  try:
    return jax.devices(None if platform == "auto" else platform)
  except (RuntimeError, AssertionError) as error:
    wanted = os.environ.get("JAX_PLATFORMS")
    if wanted:
      # JAX asserts, without words, that there is a GPU if only cuda is wanted.
      reason, *_ = (*str(error).splitlines(), "it is not on this machine")
      raise PlatformError(
        f"JAX_PLATFORMS={wanted}: {reason}; unset it, or pass --platform=cpu"
      ) from None
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
  """Describes the machine: `versions`, `device`, `threads`, `git_commit`."""
  kind = devices[0].device_kind
  if devices[0].platform == "cpu":
    kind = f"cpu ({_processor()})"
  num_processes = len({device.process_index for device in devices})
  if num_processes > 1:
    kind += f" of {num_processes} processes"
  return {
    "versions": {"python": platform.python_version(), **versions()},
    "device": f"{len(devices)} x {kind}",
    "threads": num_threads(),
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
