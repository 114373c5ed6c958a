"""Times training loops in turns. Depends on no framework and no game."""

import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

Name = TypeVar("Name", bound=Hashable)

WARMUP_DIVISOR = 10
"""Each turn starts with this fraction (1/10) of its steps untimed."""


class Training(NamedTuple):
  """A started training loop.

  Attributes:
    take_steps: runs this many steps and waits until they are done.
    num_steps: () -> the number of optimizer steps of the discriminator so far.
    generate: () -> [n, ...] samples of the current generator.
  """

  take_steps: Callable[[int], None]
  num_steps: Callable[[], int]
  generate: Callable[[], np.ndarray]


class UnavailableError(Exception):
  """Raised if an implementation cannot run here. The message is one line."""


def _time_steps(take_steps: Callable[[int], None], num_steps: int) -> float:
  started = time.perf_counter()
  take_steps(num_steps)
  return time.perf_counter() - started


def calibrate(take_steps: Callable[[int], None], seconds: float) -> int:
  """Finds how many steps take this many seconds; at least 1."""
  # The first step may compile the program. The smaller of two times ignores
  # one that another process has slowed down.
  take_steps(1)
  num_steps = 1
  while True:
    elapsed = min(_time_steps(take_steps, num_steps) for _ in range(2))
    if elapsed >= seconds / 4:
      return max(1, round(num_steps * seconds / elapsed))
    num_steps *= 2


def interleave(
  step_functions: Mapping[Name, Callable[[int], None]],
  num_rounds: Mapping[Name, int],
  seconds: float,
) -> dict[Name, list[float]]:
  """Times training loops in turns: A B C, A B C, ...

  If something slows the machine for a while, it slows all turns of a round
  alike. Ratios within a round therefore vary less than speeds do.

  Args:
    step_functions: each runs the given number of steps and waits for them.
    num_rounds: for each name, the number of rounds it takes part in, counted
      from the first.
    seconds: length of a turn.

  Returns:
    For each name, steps per second in each of its rounds.
  """
  turn_steps = {
    name: calibrate(take_steps, seconds)
    for name, take_steps in step_functions.items()
  }
  rates = {name: [] for name in step_functions}
  for index in range(max(num_rounds.values())):
    for name, take_steps in step_functions.items():
      if index < num_rounds[name]:
        num_steps = turn_steps[name]
        # The previous turn has filled the caches and set the threads.
        take_steps(num_steps // WARMUP_DIVISOR)
        rates[name].append(num_steps / _time_steps(take_steps, num_steps))
  return rates


def median_ratio(rates: Sequence[float], reference: Sequence[float]) -> float:
  """Returns the median of the per-round ratios over the common rounds."""
  # One of the two may have run in the first rounds only.
  return statistics.median(
    rate / other for rate, other in zip(rates, reference, strict=False)
  )
