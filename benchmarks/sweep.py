"""The sweep suite: how long 64 trials of the ring take, from start to end.

Eight learning rates, eight seeds each, as many steps as the experiment has.
This library measures and writes down every trial; PyTorch only trains. What
would take a quarter of an hour is measured for a part of the trials or of the
steps, and said to be.
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

from rich.console import Console
from rich.table import Table

from benchmarks import contest, fresh, toy_torch
from experiments.cli import console
from experiments.configs.registry import BY_NAME
from experiments.devices import environment
from gan_jax.types import Device

RATES = tuple(2e-3 * 2 ** (index / 4) for index in range(8))
"""Of both players. They need no digits in common with any paper."""
BATCH_SIZE = 64


class Effort(NamedTuple):
  """How much is measured.

  Attributes:
    num_rates: learning rates.
    num_seeds: of each.
    steps: of every trial.
    alone: trials that are run by themselves, in place of all.
    torch_steps: steps of PyTorch that are timed, in place of all.
  """

  num_rates: int
  num_seeds: int
  steps: int
  alone: int
  torch_steps: int


FULL = Effort(8, 8, BY_NAME["ring"].settings.steps, 4, 4000)
QUICK = Effort(2, 2, 20, 1, 20)


class Row(NamedTuple):
  """How long one way to train all trials takes.

  Attributes:
    name: of it.
    seconds: of wall clock, for all trials.
    part: what was measured, where that is not all of them.
    speedup: the seconds of PyTorch's textbook loop, one trial after another,
      over these.
  """

  name: str
  seconds: float
  part: str
  speedup: float


def _command(module: str, *flags: str, cache: Path, cwd: Path) -> float:
  """Runs a command; returns how long it took."""
  began = time.perf_counter()
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
  return time.perf_counter() - began


def _packed(effort: Effort, folder: Path) -> Mapping[str, tuple[float, str]]:
  """Times the sweep's command, first with no compiled program to be found."""
  rates = ",".join(f"{rate:.4g}" for rate in RATES[: effort.num_rates])
  flags = (
    "--experiment=ring",
    f"--grid=generator_learning_rate={rates}",
    f"--num_seeds={effort.num_seeds}",
    f"--steps={effort.steps}",
    "--platform=cpu",
  )
  taken = {}
  for name in ("gan_jax, packed", "gan_jax, packed, again"):
    console.say(f"timing {name}")
    seconds = _command(
      "experiments.sweep",
      *flags,
      f"--workdir={folder / name.replace(' ', '_')}",
      cache=folder / "cache",
      cwd=folder,
    )
    taken[name] = (seconds, "")
  return taken


def _alone(effort: Effort, folder: Path) -> tuple[float, str]:
  """Times a run's command for each trial, one after another."""
  num_trials = effort.num_rates * effort.num_seeds
  console.say(f"timing {effort.alone} trials, a process each")
  seconds = sum(
    _command(
      "experiments.run",
      "--experiment=ring",
      f"--generator_learning_rate={RATES[index]:.4g}",
      f"--seed={index}",
      f"--steps={effort.steps}",
      "--platform=cpu",
      f"--workdir={folder / f'alone-{index}'}",
      cache=folder / "cache-alone",
      cwd=folder,
    )
    for index in range(effort.alone)
  )
  return (
    seconds * num_trials / effort.alone,
    f"{effort.alone} of {num_trials} trials",
  )


def _torch(
  effort: Effort, start: Callable[..., Any], processes: int, folder: Path
) -> tuple[float, str]:
  """Times PyTorch's loop in as many processes at once, the cores divided."""
  num_cores = len(os.sched_getaffinity(0))
  begin = functools.partial(
    start, BATCH_SIZE, threads=max(1, num_cores // processes)
  )

  def timed(num_steps: int) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(processes) as executor:
      children = [
        executor.submit(fresh.measure, begin, num_steps, folder)
        for _ in range(processes)
      ]
      for child in children:
        child.result()
    return time.perf_counter() - began

  to_start = timed(1)
  of_step = (timed(effort.torch_steps) - to_start) / (effort.torch_steps - 1)
  trials = -(-effort.num_rates * effort.num_seeds // processes)
  return (
    to_start + trials * effort.steps * of_step,
    f"{effort.torch_steps:,} of {trials * effort.steps:,} steps",
  )


def measure(quick: bool) -> dict[str, Any]:
  """Runs the suite.

  Args:
    quick: whether a few steps are enough, to see that everything works.

  Returns:
    `machine`, `versions`, `trials`, `steps`, `rows`.
  """
  effort = QUICK if quick else FULL
  load_average = os.getloadavg()
  taken: dict[str, tuple[float, str]] = {}
  with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    taken |= _packed(effort, folder)
    taken["gan_jax, a process for each"] = _alone(effort, folder)
    for title, start in (
      ("pytorch_textbook", toy_torch.textbook),
      ("pytorch_economical", toy_torch.simultaneous),
    ):
      for processes in (1, 2):
        console.say(f"timing {title} in {processes}")
        taken[f"{title}, {processes} at a time"] = _torch(
          effort, start, processes, folder
        )
  reference, _ = taken["pytorch_textbook, 1 at a time"]
  devices: Sequence[Device] = environment.choose_devices("cpu", 1)
  return {
    **contest.machine_of(devices, load_average),
    "trials": effort.num_rates * effort.num_seeds,
    "steps": effort.steps,
    "rows": [
      Row(title, seconds, part, reference / seconds)._asdict()
      for title, (seconds, part) in taken.items()
    ],
  }


def print_report(report: dict[str, Any]) -> None:
  """Prints the table of a report to the standard output."""
  terminal = Console()
  table = Table(
    title=f"{report['trials']} trials of {report['steps']:,} steps on "
    f"{report['machine']['device']}"
  )
  table.add_column("by")
  table.add_column("seconds", justify="right")
  table.add_column("times as fast", justify="right")
  table.add_column("measured")
  for row in report["rows"]:
    table.add_row(
      row["name"],
      f"{row['seconds']:,.0f}",
      f"{row['speedup']:.2f}",
      row["part"] or "all",
    )
  terminal.print(table)
