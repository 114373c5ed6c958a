"""Chooses the devices of a run, and whether they divide seeds or batches."""

from collections.abc import Sequence
from typing import NamedTuple

from experiments.configs.settings import Settings
from experiments.devices import environment, multihost
from experiments.devices.environment import PlatformError
from experiments.errors import SettingError
from gan_jax import sharding
from gan_jax.types import Device

AUTO = "auto"
ALLOWED = f"{AUTO}, {sharding.MEMBERS}:N or {sharding.DATA}:N"
MAX_DEVICES = 65536


class Wanted(NamedTuple):
  """The value of --mesh.

  Attributes:
    axis: what the devices divide, `sharding.MEMBERS` or `sharding.DATA`.
    num_devices: number of devices in all processes together; 0 means all
      devices, but at most one for each seed.
  """

  axis: str = sharding.MEMBERS
  num_devices: int = 0

  def __str__(self) -> str:
    if not self.num_devices:
      return AUTO
    return f"{self.axis}:{self.num_devices}"


class Layout(NamedTuple):
  """The devices of a run.

  Attributes:
    devices: devices of all processes in the order of the processes, equally
      many of each.
    axis: what they divide.
  """

  devices: Sequence[Device]
  axis: str = sharding.MEMBERS


def parse_mesh(text: str) -> Wanted:
  """Parses --mesh; raises SettingError if the value is not allowed."""
  if text == AUTO:
    return Wanted()
  axis, _, number = text.partition(":")
  if (
    axis not in (sharding.MEMBERS, sharding.DATA)
    or not (number.isascii() and number.isdecimal())
    or not 0 < int(number) <= MAX_DEVICES
  ):
    raise SettingError(f"--mesh={text} is not allowed; it must be {ALLOWED}")
  return Wanted(axis, int(number))


def _check(wanted: Wanted, settings: Settings, num_seeds: int) -> None:
  """Raises SettingError if so many devices cannot divide the run."""
  axis, num_devices = wanted
  if axis == sharding.DATA and settings.batch_size % num_devices:
    packs = " packs" if settings.packing > 1 else ""
    raise SettingError(
      f"--mesh={wanted} cannot divide --batch_size={settings.batch_size}"
      f"{packs} among {num_devices} devices"
    )
  if axis == sharding.MEMBERS and num_devices > num_seeds:
    raise SettingError(
      f"--mesh={wanted} has more devices than there are seeds, {num_seeds}; "
      f"--mesh={sharding.DATA}:{num_devices} divides their batches"
    )
  if num_devices % multihost.count():
    raise SettingError(
      f"--mesh={wanted} cannot be divided among {multihost.count()} processes, "
      "which must have equally many devices"
    )


def choose_layout(
  platform: str, wanted: Wanted, settings: Settings, num_seeds: int
) -> Layout:
  """Chooses the devices of a run.

  Args:
    platform: one of `flags.PLATFORMS`.
    wanted: the value of --mesh.
    settings: settings of the run.
    num_seeds: number of seeds of the run.

  Raises:
    PlatformError: if there are too few devices.
    SettingError: if the devices cannot divide the seeds or batches equally, or
      a process would have nothing to train.
  """
  _check(wanted, settings, num_seeds)
  num_processes = multihost.count()
  if num_processes == 1 and not wanted.num_devices:
    return Layout(environment.choose_devices(platform, num_seeds))
  if num_processes == 1:
    # Several processes start JAX earlier, to connect.
    environment.configure(wanted.num_devices)
  found = environment.devices_of(platform)
  by_process = [
    [device for device in found if device.process_index == process]
    for process in range(num_processes)
  ]
  fewest = min(map(len, by_process))
  share = wanted.num_devices // num_processes
  if not wanted.num_devices:
    share = min(fewest, num_seeds // num_processes)
    if not share:
      raise SettingError(
        f"{num_processes} processes cannot share --num_seeds={num_seeds}; "
        f"--mesh={sharding.DATA}:{num_processes} divides batches among them"
      )
  if fewest < share:
    among = "" if num_processes == 1 else " in each process"
    raise PlatformError(
      f"--mesh={wanted} needs {share} devices{among}, and there "
      f"{'is' if fewest == 1 else 'are'} {fewest} of {found[0].platform}"
    )
  return Layout(
    [device for devices in by_process for device in devices[:share]],
    wanted.axis,
  )
