"""The sweep suite: measures how long 64 trials of the ring take in total.

The trials have eight learning rates, eight seeds each, and the experiment's
number of steps. This library evaluates every trial and writes its run folder;
PyTorch only trains. Where all trials would take a quarter of an hour, the suite
measures some of the trials or steps and extrapolates; the report says which.
"""

import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import cold_start, measurement, speed_tables, toy_torch
from experiments.cli import console
from experiments.configs.registry import BY_NAME
from experiments.devices import environment
from gan_jax.types import Device

RATES = tuple(2e-3 * 2 ** (index / 4) for index in range(8))
"""Learning rates of both players. They are not taken from a paper."""
BATCH_SIZE = 64


class Budget(NamedTuple):
  """How much to measure.

  Attributes:
    num_rates: learning rates.
    num_seeds: seeds for each learning rate.
    steps: steps of each trial.
    separate_trials: trials to time with one process each.
    torch_steps: steps to time in PyTorch.
  """

  num_rates: int
  num_seeds: int
  steps: int
  separate_trials: int
  torch_steps: int


FULL = Budget(8, 8, BY_NAME["ring"].settings.steps, 4, 4000)
QUICK = Budget(2, 2, 20, 1, 20)


class Row(NamedTuple):
  """The time that one way to train all trials takes.

  Attributes:
    name: its name in the report.
    seconds: wall-clock time of all trials.
    part: the part that was measured if the time is extrapolated, otherwise "".
    speedup: the time of PyTorch's textbook loop, one trial after another,
      divided by `seconds`.
  """

  name: str
  seconds: float
  part: str
  speedup: float


def _time_command(module: str, *flags: str, cache: Path, cwd: Path) -> float:
  """Runs a command and returns its seconds."""
  started = time.perf_counter()
  subprocess.run(
    [sys.executable, "-m", module, *flags],
    cwd=cwd,
    env={
      **os.environ,
      "XDG_CACHE_HOME": str(cache),
      "PYTHONPATH": str(Path(__file__).parents[1]),
    },
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
    check=True,
  )
  return time.perf_counter() - started


def _time_sweep(
  budget: Budget, folder: Path
) -> Mapping[str, tuple[float, str]]:
  """Times `experiments.sweep` twice. The first finds no compiled program."""
  rates = ",".join(f"{rate:.4g}" for rate in RATES[: budget.num_rates])
  flags = (
    "--experiment=ring",
    f"--grid=generator_learning_rate={rates}",
    f"--num_seeds={budget.num_seeds}",
    f"--steps={budget.steps}",
    "--platform=cpu",
  )
  times = {}
  for name in ("gan_jax, packed", "gan_jax, packed, again"):
    console.say(f"timing {name}")
    seconds = _time_command(
      "experiments.sweep",
      *flags,
      f"--workdir={folder / name.replace(' ', '_')}",
      cache=folder / "cache",
      cwd=folder,
    )
    times[name] = (seconds, "")
  return times


def _time_runs(budget: Budget, folder: Path) -> tuple[float, str]:
  """Times `experiments.run` for one trial after another."""
  num_trials = budget.num_rates * budget.num_seeds
  console.say(f"timing {budget.separate_trials} trials, one process each")
  seconds = sum(
    _time_command(
      "experiments.run",
      "--experiment=ring",
      f"--generator_learning_rate={RATES[index]:.4g}",
      f"--seed={index}",
      f"--steps={budget.steps}",
      "--platform=cpu",
      f"--workdir={folder / f'alone-{index}'}",
      cache=folder / "cache-alone",
      cwd=folder,
    )
    for index in range(budget.separate_trials)
  )
  return (
    seconds * num_trials / budget.separate_trials,
    f"{budget.separate_trials} of {num_trials} trials",
  )


def _time_torch(
  budget: Budget, start: Callable[..., Any], processes: int, folder: Path
) -> tuple[float, str]:
  """Times PyTorch's loop in several processes that share the cores."""
  num_cores = len(os.sched_getaffinity(0))
  start_trial = functools.partial(
    start, BATCH_SIZE, threads=max(1, num_cores // processes)
  )

  def time_steps(num_steps: int) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(processes) as executor:
      children = [
        executor.submit(
          cold_start.measure_cold_start, start_trial, num_steps, folder
        )
        for _ in range(processes)
      ]
      for child in children:
        child.result()
    return time.perf_counter() - started

  start_seconds = time_steps(1)
  step_seconds = (time_steps(budget.torch_steps) - start_seconds) / (
    budget.torch_steps - 1
  )
  trials = -(-budget.num_rates * budget.num_seeds // processes)
  return (
    start_seconds + trials * budget.steps * step_seconds,
    f"{budget.torch_steps:,} of {trials * budget.steps:,} steps",
  )


def measure(quick: bool) -> dict[str, Any]:
  """Runs the suite.

  Args:
    quick: whether to take only a few steps, to test the suite.

  Returns:
    `machine`, `versions`, `trials`, `steps`, `rows`.
  """
  budget = QUICK if quick else FULL
  load_average = os.getloadavg()
  times: dict[str, tuple[float, str]] = {}
  with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    times |= _time_sweep(budget, folder)
    times["gan_jax, a process for each"] = _time_runs(budget, folder)
    for title, start in (
      ("pytorch_textbook", toy_torch.textbook),
      ("pytorch_economical", toy_torch.simultaneous),
    ):
      for processes in (1, 2):
        console.say(f"timing {title} in {processes} processes")
        times[f"{title}, {processes} at a time"] = _time_torch(
          budget, start, processes, folder
        )
  reference, _ = times["pytorch_textbook, 1 at a time"]
  devices: Sequence[Device] = environment.choose_devices("cpu", 1)
  return {
    **measurement.describe_machine(devices, load_average),
    "trials": budget.num_rates * budget.num_seeds,
    "steps": budget.steps,
    "rows": [
      Row(title, seconds, part, reference / seconds)._asdict()
      for title, (seconds, part) in times.items()
    ],
  }


def print_report(report: dict[str, Any]) -> None:
  """Prints the table of a report to the standard output."""
  print(speed_tables.write_sweep(report))
