"""The toy suite: a ring of Gaussians, against PyTorch and a tutorial's JAX."""

import functools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks import (
  matmul,
  memory,
  timing,
  toy_flax,
  toy_game,
  toy_gan_jax,
  toy_torch,
)
from benchmarks.report import Missing, Row, ratios
from experiments import console, environment


class Effort(NamedTuple):
  """How much is measured.

  Attributes:
    batch_sizes: of the games.
    num_rounds: turns of each contestant.
    seconds: length of a turn.
    memory_steps: steps of the process that shows a contestant's memory.
    peak_width: of the square matrices that show the machine's peak.
  """

  batch_sizes: tuple[int, ...]
  num_rounds: int
  seconds: float
  memory_steps: int
  peak_width: int


FULL = Effort((64, 512), 7, 0.4, memory_steps=100, peak_width=2048)
QUICK = Effort((64,), 2, 0.01, memory_steps=2, peak_width=256)


class Contestant(NamedTuple):
  """One way to train a game.

  Attributes:
    name: in the report.
    update: "alternating" or "simultaneous".
    starts: by number of threads, batch size -> a training.
    num_seeds: that it trains side by side.
  """

  name: str
  update: str
  starts: Mapping[int, Callable[[int], timing.Training]]
  num_seeds: int = 1


def contestants(num_cores: int) -> dict[str, tuple[Contestant, ...]]:
  """Lists the contestants.

  Small products may be slower on many threads, so PyTorch has one thread or
  all; XLA decides for itself.

  Args:
    num_cores: of the machine.

  Returns:
    By game, those who play it, PyTorch's eager textbook loop first.
  """

  def pytorch(name, update, start):
    starts = {
      threads: functools.partial(start, threads=threads)
      for threads in sorted({1, num_cores})
    }
    return Contestant(f"pytorch_{name}", update, starts)

  def single(name, update, start):
    return Contestant(name, update, {num_cores: start})

  def population(num_seeds, update, start):
    starts = {num_cores: functools.partial(start, num_seeds=num_seeds)}
    return Contestant(f"gan_jax_{num_seeds}_seeds", update, starts, num_seeds)

  alternating, simultaneous = "alternating", "simultaneous"
  return {
    toy_game.NON_SATURATING: (
      pytorch("eager", alternating, toy_torch.textbook),
      pytorch("economical", simultaneous, toy_torch.simultaneous),
      pytorch("compiled", simultaneous, toy_torch.compiled),
      single("jax_textbook", alternating, toy_flax.textbook),
      single("gan_jax_alternating", alternating, toy_gan_jax.alternating),
      single("gan_jax", simultaneous, toy_gan_jax.simultaneous),
      population(8, simultaneous, toy_gan_jax.simultaneous),
      population(32, simultaneous, toy_gan_jax.simultaneous),
    ),
    toy_game.WGAN_GP: (
      pytorch("eager", alternating, toy_torch.wgan_gp_textbook),
      pytorch("economical", alternating, toy_torch.wgan_gp_economical),
      pytorch("compiled", alternating, toy_torch.wgan_gp_compiled),
      single("gan_jax", alternating, toy_gan_jax.wgan_gp),
      population(8, alternating, toy_gan_jax.wgan_gp),
    ),
  }


def _measure(
  game: str, batch_size: int, effort: Effort, num_cores: int
) -> tuple[list[Row], list[Missing]]:
  """Measures all contestants of one game on one batch size."""
  where = f"{game}, batch {batch_size}"
  everyone = contestants(num_cores)[game]
  trainings, first_steps, missing = {}, {}, {}
  for contestant in everyone:
    for threads, start in contestant.starts.items():
      console.say(f"{where}: starting {contestant.name}, {threads} threads")
      started = time.perf_counter()
      try:
        training = start(batch_size)
      except timing.UnavailableError as error:
        missing[contestant.name] = str(error)
        break
      training.take(1)
      elapsed = time.perf_counter() - started
      # A second number of threads finds much of the work done.
      first_steps.setdefault(contestant.name, elapsed)
      trainings[contestant.name, threads] = training
  console.say(f"{where}: timing {effort.num_rounds} rounds")
  rates = timing.interleave(
    {key: training.take for key, training in trainings.items()},
    effort.num_rounds,
    effort.seconds,
  )
  for key, training in trainings.items():
    if not np.isfinite(training.generate()).all():
      raise RuntimeError(f"{key} has diverged: its speed means nothing")

  def row(contestant):
    rounds = {
      threads: tuple(
        rate * contestant.num_seeds for rate in rates[contestant.name, threads]
      )
      for threads in contestant.starts
    }
    medians = {n: statistics.median(own) for n, own in rounds.items()}
    best = max(medians, key=lambda threads: medians[threads])
    return Row(
      game,
      contestant.name,
      contestant.update,
      batch_size,
      contestant.num_seeds,
      threads=best,
      steps_per_second=medians[best],
      rounds=rounds[best],
      by_threads=medians,
      first_step_seconds=first_steps[contestant.name],
      peak_memory_mib=memory.peak_mebibytes(
        functools.partial(contestant.starts[best], batch_size),
        effort.memory_steps,
      ),
    )

  console.say(f"{where}: measuring memory")
  # Memory, unlike time, is not disturbed by a neighbour.
  with ThreadPoolExecutor(num_cores) as executor:
    rows = executor.map(row, [c for c in everyone if c.name not in missing])
    return list(rows), [
      Missing(game, name, batch_size, reason)
      for name, reason in missing.items()
    ]


def _floor(rows: list[Row], effort: Effort, num_cores: int) -> dict[str, Any]:
  """Measures what the matrix products alone allow, and how near it is.

  The step's own shapes are those of the discriminator's hidden layer, which
  has most of the operations: 2B rows, as it sees real and fake samples at once.
  """
  console.say("timing matrix products")
  threads = sorted({1, num_cores})
  peak = matmul.rate(
    effort.peak_width, effort.peak_width, threads, effort.seconds
  )
  batches = {}
  for batch_size in effort.batch_sizes:
    flops = toy_game.step_flops(batch_size)
    own = matmul.rate(
      2 * batch_size, toy_game.HIDDEN[0], threads, effort.seconds
    )
    batches[str(batch_size)] = {
      "flops_per_step": flops,
      "step_gflops": own / 1e9,
      "steps_per_second_at_peak": peak / flops,
      "steps_per_second_at_step_shapes": own / flops,
      "reached": {
        row.name: {
          "of_peak": row.steps_per_second * flops / peak,
          "of_step_shapes": row.steps_per_second * flops / own,
        }
        for row in rows
        if row.batch_size == batch_size and row.update == "simultaneous"
      },
    }
  return {
    "peak_width": effort.peak_width,
    "peak_gflops": peak / 1e9,
    "batches": batches,
  }


def measure(quick: bool) -> dict[str, Any]:
  """Runs the suite.

  Args:
    quick: whether a few steps are enough, to see that everything works.

  Returns:
    The report, but for the suite's name: `machine`, `versions`, `rows`,
    `missing`, `ratios`, `floor`.
  """
  effort = QUICK if quick else FULL
  num_cores = len(os.sched_getaffinity(0))
  load_average = os.getloadavg()
  jax.config.update("jax_platforms", "cpu")
  devices = environment.choose_devices("cpu", num_cores)
  # A program that an earlier run left in the cache would hide compilation.
  jax.config.update("jax_enable_compilation_cache", False)
  with tempfile.TemporaryDirectory() as inductor_cache:
    # For this process, and for those that it starts to measure memory.
    os.environ.update(
      JAX_PLATFORMS="cpu",
      JAX_NUM_CPU_DEVICES=str(len(devices)),
      TORCHINDUCTOR_CACHE_DIR=inductor_cache,
    )
    measured = [
      _measure(game, batch_size, effort, num_cores)
      for game in (toy_game.NON_SATURATING, toy_game.WGAN_GP)
      for batch_size in effort.batch_sizes
    ]
  rows = [row for own, _ in measured for row in own]
  machine = environment.describe(devices)
  return {
    "machine": {
      "device": machine["device"],
      "git_commit": machine["git_commit"],
      "load_average": load_average,
    },
    "versions": machine["versions"] | {"torch": toy_torch.VERSION},
    "rows": [row._asdict() for row in rows],
    "missing": [own._asdict() for _, missing in measured for own in missing],
    "ratios": ratios(rows),
    "floor": _floor(rows, effort, num_cores),
  }
