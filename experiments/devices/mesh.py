"""Which devices a run trains on, and whether they divide members or batches."""

from collections.abc import Sequence
from typing import NamedTuple

from experiments.configs.fields import SettingError
from experiments.configs.settings import Settings
from experiments.devices import environment, multihost
from experiments.devices.environment import PlatformError
from gan_jax import sharding
from gan_jax.types import Device

AUTO = "auto"
ALLOWED = f"{AUTO}, {sharding.MEMBERS}:N or {sharding.DATA}:N"
MAX_DEVICES = 65536


class Wanted(NamedTuple):
  """What was asked for.

  Attributes:
    axis: what devices divide, `sharding.MEMBERS` or `sharding.DATA`.
    num_devices: how many, of all processes; 0 for as many as there are, and
      members to share them.
  """

  axis: str = sharding.MEMBERS
  num_devices: int = 0

  def __str__(self) -> str:
    if not self.num_devices:
      return AUTO
    return f"{self.axis}:{self.num_devices}"


class Layout(NamedTuple):
  """Where a run trains.

  Attributes:
    devices: of all processes, those of each in a row and equally many.
    axis: what they divide.
  """

  devices: Sequence[Device]
  axis: str = sharding.MEMBERS


def read(text: str) -> Wanted:
  """Reads --mesh; raises SettingError if it is none."""
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
  """Raises SettingError if the devices cannot divide what they are to."""
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
      f"--mesh={wanted} cannot be of {multihost.count()} processes, which have "
      "equally many devices each"
    )


def choose(
  platform: str, wanted: Wanted, settings: Settings, num_seeds: int
) -> Layout:
  """Chooses the devices of a run.

  Args:
    platform: one of `flags.PLATFORMS`.
    wanted: what was asked for.
    settings: of the run.
    num_seeds: of the run.

  Returns:
    Where it trains.

  Raises:
    PlatformError: if there are too few devices.
    SettingError: if they cannot divide what they are to, or a process would
      have nothing to train.
  """
  _check(wanted, settings, num_seeds)
  num_processes = multihost.count()
  if num_processes == 1 and not wanted.num_devices:
    return Layout(environment.choose_devices(platform, num_seeds))
  if num_processes == 1:
    # Several have been started already, to find each other.
    environment.configure(wanted.num_devices)
  found = environment.devices_of(platform)
  of_each = [
    [device for device in found if device.process_index == process]
    for process in range(num_processes)
  ]
  fewest = min(map(len, of_each))
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
    [device for own in of_each for device in own[:share]], wanted.axis
  )
