"""Times contestants side by side; knows no framework and no game."""

import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

Name = TypeVar("Name", bound=Hashable)

WARM_SHARE = 10
"""A turn begins with an untimed tenth of its steps."""


class Training(NamedTuple):
  """A contestant at work.

  Attributes:
    take: takes this many steps and waits until they are done.
    num_steps: () -> the steps taken, by the discriminator's optimizer's count.
    generate: () -> [n, ...] samples of the generator as it is now.
  """

  take: Callable[[int], None]
  num_steps: Callable[[], int]
  generate: Callable[[], np.ndarray]


class UnavailableError(Exception):
  """A contestant that cannot run on this machine; the message is one line."""


def _seconds_of(take: Callable[[int], None], num_steps: int) -> float:
  """Times a call."""
  started = time.perf_counter()
  take(num_steps)
  return time.perf_counter() - started


def calibrate(take: Callable[[int], None], seconds: float) -> int:
  """Finds how many steps fill a time.

  Args:
    take: takes this many steps and waits until they are done.
    seconds: to fill.

  Returns:
    The number of steps, at least 1.
  """
  # The first step may compile the others; a second call outlives a stall.
  take(1)
  num_steps = 1
  while True:
    elapsed = min(_seconds_of(take, num_steps) for _ in range(2))
    if elapsed >= seconds / 4:
      return max(1, round(num_steps * seconds / elapsed))
    num_steps *= 2


def interleave(
  takes: Mapping[Name, Callable[[int], None]],
  num_rounds: Mapping[Name, int],
  seconds: float,
) -> dict[Name, list[float]]:
  """Times contestants in turns: A B C, A B C, ...

  What slows the machine for a while slows neighbours in a round alike, so
  ratios within a round are steadier than speeds are.

  Args:
    takes: by name, takes this many steps and waits until they are done.
    num_rounds: by name, the turns that it takes, from the first round on.
    seconds: length of a turn.

  Returns:
    By name, steps per second in each of its rounds.
  """
  turns = {name: calibrate(take, seconds) for name, take in takes.items()}
  rates = {name: [] for name in takes}
  for index in range(max(num_rounds.values())):
    for name, take in takes.items():
      if index < num_rounds[name]:
        num_steps = turns[name]
        # Caches and threads are as the contestant before has left them.
        take(num_steps // WARM_SHARE)
        rates[name].append(num_steps / _seconds_of(take, num_steps))
  return rates


def ratio(rates: Sequence[float], reference: Sequence[float]) -> float:
  """Returns the median of the ratio within a round, over the common rounds."""
  # One of the two may have left after the first few.
  return statistics.median(
    own / other for own, other in zip(rates, reference, strict=False)
  )
