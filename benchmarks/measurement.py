"""Measures all implementations of one game and makes the report of a suite."""

import functools
import importlib.metadata
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import cold_start, timing
from benchmarks.report import Bound, Missing, Row, ratios
from experiments.cli import console
from experiments.devices import environment
from gan_jax.types import Device

Start = Callable[[int], timing.Training]
"""Batch size -> a training. A function of a module, or a partial of one."""


class Implementation(NamedTuple):
  """One way to train a game.

  Attributes:
    name: its name in the report.
    update: "alternating" or "simultaneous".
    variants: the ways to start it, by name. The report uses the fastest.
    num_seeds: seeds that train together.
    max_rounds: rounds to time a slow implementation for; None for all.
    restarts: whether to measure a second cold start, which finds the compiled
      programs of the first.
  """

  name: str
  update: str
  variants: Mapping[str, Start]
  num_seeds: int = 1
  max_rounds: int | None = None
  restarts: bool = False


class Budget(NamedTuple):
  """How much to measure.

  Attributes:
    num_rounds: turns of each implementation.
    seconds: length of a turn.
    cold_start_steps: steps of the process that measures peak memory.
    num_processes: cold starts that run at the same time. With more than one,
      each slows the others down.
  """

  num_rounds: int
  seconds: float
  cold_start_steps: int
  num_processes: int = 1


class Measurements(NamedTuple):
  """The results of the implementations of one game and batch size."""

  rows: list[Row]
  missing: list[Missing]


def measure_game(
  game: str,
  batch_size: int,
  implementations: Sequence[Implementation],
  budget: Budget,
  cold_starts: bool = True,
) -> Measurements:
  """Measures all implementations of one game at one batch size.

  Args:
    game: its name in the report.
    batch_size: number of real samples, and of latents, in an update of a
      player.
    implementations: what to measure.
    budget: how much to measure.
    cold_starts: whether to measure first steps and memory in new processes.

  Returns:
    A row for each implementation that runs here, and an entry in `missing` for
    each of the others.

  Raises:
    RuntimeError: if an implementation diverged.
  """
  where = f"{game}, batch {batch_size}"
  trainings, missing = {}, {}
  for implementation in implementations:
    for variant, start in implementation.variants.items():
      console.say(f"{where}: starting {implementation.name} {variant}".rstrip())
      try:
        trainings[implementation.name, variant] = start(batch_size)
      except timing.UnavailableError as error:
        missing[implementation.name] = str(error)
        break
  available = [entry for entry in implementations if entry.name not in missing]
  limits = {
    entry.name: entry.max_rounds or budget.num_rounds
    for entry in implementations
  }
  console.say(f"{where}: timing {budget.num_rounds} rounds")
  rates = timing.interleave(
    {key: training.take_steps for key, training in trainings.items()},
    {key: min(budget.num_rounds, limits[key[0]]) for key in trainings},
    budget.seconds,
  )
  for key, training in trainings.items():
    if not np.isfinite(training.generate()).all():
      raise RuntimeError(f"{key} has diverged: its speed means nothing")
  # Frees the memory before the processes start.
  trainings.clear()

  def make_row(implementation):
    variant_rates = {
      variant: rates[implementation.name, variant]
      for variant in implementation.variants
    }
    return _make_row(
      game, batch_size, implementation, variant_rates, budget, cold_starts
    )

  if cold_starts:
    console.say(f"{where}: measuring first steps and memory")
  with ThreadPoolExecutor(budget.num_processes) as executor:
    rows = list(executor.map(make_row, available))
  return Measurements(
    rows,
    [
      Missing(game, name, batch_size, reason)
      for name, reason in missing.items()
    ],
  )


def _make_row(
  game: str,
  batch_size: int,
  implementation: Implementation,
  rates: Mapping[str, Sequence[float]],
  budget: Budget,
  cold_starts: bool,
) -> Row:
  """Makes the row of an implementation and measures its cold starts.

  `rates` has for each variant the steps per second of one seed in each round.
  Cold starts use the fastest variant.
  """
  rounds = {
    variant: tuple(rate * implementation.num_seeds for rate in variant_rates)
    for variant, variant_rates in rates.items()
  }
  medians = {
    variant: statistics.median(values) for variant, values in rounds.items()
  }
  best = max(medians, key=lambda variant: medians[variant])
  start = functools.partial(implementation.variants[best], batch_size)
  first, restart = None, None
  if cold_starts:
    with tempfile.TemporaryDirectory() as name:
      cache = Path(name)
      first = cold_start.measure_cold_start(
        start, budget.cold_start_steps, cache
      )
      if implementation.restarts:
        restart = cold_start.measure_cold_start(start, 1, cache)
  return Row(
    game,
    implementation.name,
    implementation.update,
    batch_size,
    implementation.num_seeds,
    variant=best,
    steps_per_second=medians[best],
    rounds=rounds[best],
    by_variant=medians,
    first_step_seconds=first and first.first_step_seconds,
    restart_seconds=restart and restart.first_step_seconds,
    peak_memory_mib=first and first.peak_memory_mib,
  )


def make_report(
  measurements: Sequence[Measurements],
  reference: str,
  bounds: Sequence[Bound],
  devices: Sequence[Device],
  load_average: tuple[float, float, float],
) -> dict[str, Any]:
  """Makes the report of a suite, without the suite's name.

  Args:
    measurements: one entry for each game and batch size.
    reference: name of an implementation; the report has ratios to it besides
      those to the fastest of PyTorch.
    bounds: speeds that the matrix products allow.
    devices: the devices of JAX.
    load_average: load average of the machine before the suite.

  Returns:
    `machine`, `versions`, `rows`, `missing`, `reference`, `ratios`, `bounds`.
  """
  rows = [row for entry in measurements for row in entry.rows]
  missing = [item for entry in measurements for item in entry.missing]
  return {
    **describe_machine(devices, load_average),
    "rows": [row._asdict() for row in rows],
    "missing": [item._asdict() for item in missing],
    "reference": reference,
    "ratios": ratios(rows, reference),
    "bounds": [bound._asdict() for bound in bounds],
  }


def describe_machine(
  devices: Sequence[Device], load_average: tuple[float, float, float]
) -> dict[str, Any]:
  """Describes the machine of a suite: `machine` and `versions`."""
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
