"""Measures contestants of one game: what every suite does with its own."""

import functools
import importlib.metadata
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import fresh, timing
from benchmarks.report import Bound, Missing, Row, ratios
from experiments.cli import console
from experiments.devices import environment
from gan_jax.types import Device

Start = Callable[[int], timing.Training]
"""Batch size -> a training; a function of a module, or a partial of one."""


class Contestant(NamedTuple):
  """One way to train a game.

  Attributes:
    name: in the report.
    update: "alternating" or "simultaneous".
    variants: by name, ways to start it, of which the fastest counts.
    num_seeds: that it trains side by side.
    max_rounds: turns after which a slow one may leave; None for none.
    restarts: whether it has programs that a second fresh process may find.
  """

  name: str
  update: str
  variants: Mapping[str, Start]
  num_seeds: int = 1
  max_rounds: int | None = None
  restarts: bool = False


class Effort(NamedTuple):
  """How much is measured.

  Attributes:
    num_rounds: turns of each contestant.
    seconds: length of a turn.
    fresh_steps: steps of the process that shows a contestant's memory.
    num_processes: that start at once to show first steps and memory; more than
      one disturb each other's times.
  """

  num_rounds: int
  seconds: float
  fresh_steps: int
  num_processes: int = 1


class Measured(NamedTuple):
  """What a contest has come to."""

  rows: list[Row]
  missing: list[Missing]


def measure(
  game: str,
  batch_size: int,
  everyone: Sequence[Contestant],
  effort: Effort,
  starts_afresh: bool = True,
) -> Measured:
  """Measures all contestants of one game on one batch size.

  Args:
    game: its name.
    batch_size: real samples in a move of a player, and as many latents.
    everyone: who plays.
    effort: how much to measure.
    starts_afresh: whether to measure first steps and memory.

  Returns:
    A row for each contestant, or why it is missing.

  Raises:
    RuntimeError: if one has diverged.
  """
  where = f"{game}, batch {batch_size}"
  trainings, missing = {}, {}
  for contestant in everyone:
    for variant, start in contestant.variants.items():
      console.say(f"{where}: starting {contestant.name} {variant}".rstrip())
      try:
        trainings[contestant.name, variant] = start(batch_size)
      except timing.UnavailableError as error:
        missing[contestant.name] = str(error)
        break
  present = [own for own in everyone if own.name not in missing]
  limits = {own.name: own.max_rounds or effort.num_rounds for own in everyone}
  console.say(f"{where}: timing {effort.num_rounds} rounds")
  rates = timing.interleave(
    {key: training.take for key, training in trainings.items()},
    {key: min(effort.num_rounds, limits[key[0]]) for key in trainings},
    effort.seconds,
  )
  for key, training in trainings.items():
    if not np.isfinite(training.generate()).all():
      raise RuntimeError(f"{key} has diverged: its speed means nothing")
  # Their memory is no longer needed.
  trainings.clear()

  def row(contestant):
    own = {
      variant: rates[contestant.name, variant]
      for variant in contestant.variants
    }
    return _row(game, batch_size, contestant, own, effort, starts_afresh)

  if starts_afresh:
    console.say(f"{where}: measuring first steps and memory")
  with ThreadPoolExecutor(effort.num_processes) as executor:
    rows = list(executor.map(row, present))
  return Measured(
    rows,
    [
      Missing(game, name, batch_size, reason)
      for name, reason in missing.items()
    ],
  )


def _row(
  game: str,
  batch_size: int,
  contestant: Contestant,
  rates: Mapping[str, Sequence[float]],
  effort: Effort,
  starts_afresh: bool,
) -> Row:
  """Makes a contestant's row of its rates, and of starts of its best variant.

  Args:
    game: its name.
    batch_size: of the game.
    contestant: who has played.
    rates: by variant, steps per second of each seed in each round.
    effort: how much to measure.
    starts_afresh: whether to start it.
  """
  rounds = {
    variant: tuple(rate * contestant.num_seeds for rate in own)
    for variant, own in rates.items()
  }
  medians = {variant: statistics.median(own) for variant, own in rounds.items()}
  best = max(medians, key=lambda variant: medians[variant])
  start = functools.partial(contestant.variants[best], batch_size)
  first, again = None, None
  if starts_afresh:
    with tempfile.TemporaryDirectory() as cache:
      first = fresh.measure(start, effort.fresh_steps, Path(cache))
      if contestant.restarts:
        again = fresh.measure(start, 1, Path(cache))
  return Row(
    game,
    contestant.name,
    contestant.update,
    batch_size,
    contestant.num_seeds,
    variant=best,
    steps_per_second=medians[best],
    rounds=rounds[best],
    by_variant=medians,
    first_step_seconds=first and first.first_step_seconds,
    restart_seconds=again and again.first_step_seconds,
    peak_memory_mib=first and first.peak_memory_mib,
  )


def report(
  measured: Sequence[Measured],
  reference: str,
  bounds: Sequence[Bound],
  devices: Sequence[Device],
  load_average: tuple[float, float, float],
) -> dict[str, Any]:
  """Makes a suite's report, but for the suite's name.

  Args:
    measured: of each game and batch size.
    reference: the contestant that ratios are taken to, beside the best PyTorch.
    bounds: what the operations alone allow.
    devices: of JAX.
    load_average: of the machine before the suite.

  Returns:
    `machine`, `versions`, `rows`, `missing`, `reference`, `ratios`, `bounds`.
  """
  rows = [row for own in measured for row in own.rows]
  return {
    **machine_of(devices, load_average),
    "rows": [row._asdict() for row in rows],
    "missing": [entry._asdict() for own in measured for entry in own.missing],
    "reference": reference,
    "ratios": ratios(rows, reference),
    "bounds": [entry._asdict() for entry in bounds],
  }


def machine_of(
  devices: Sequence[Device], load_average: tuple[float, float, float]
) -> dict[str, Any]:
  """Describes what a suite was measured on: `machine` and `versions`."""
  machine = environment.describe(devices)
  return {
    "machine": {
      "device": machine["device"],
      "git_commit": machine["git_commit"],
      "load_average": load_average,
    },
    "versions": machine["versions"]
    | {"torch": importlib.metadata.version("torch")},
  }
