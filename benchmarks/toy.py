"""The toy suite: trains a ring of Gaussians in several frameworks."""

import functools
import os
import tempfile
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax

from benchmarks import (
  matmul,
  measurement,
  toy_flax,
  toy_game,
  toy_gan_jax,
  toy_torch,
)
from benchmarks.measurement import Implementation
from benchmarks.report import Bound, Row, bound
from benchmarks.report import print_report as print_report
from experiments.cli import console
from experiments.devices import environment

EAGER = "pytorch_eager"
"""Name of PyTorch's textbook loop, the reference of the ratios."""


class Budget(NamedTuple):
  """How much to measure.

  Attributes:
    batch_sizes: batch sizes of every game.
    peak_width: width of the square matrices that measure the peak rate.
    game: how much to measure for each game and batch size.
  """

  batch_sizes: tuple[int, ...]
  peak_width: int
  game: measurement.Budget


FULL = Budget((64, 512), 2048, measurement.Budget(7, 0.4, cold_start_steps=100))
QUICK = Budget(
  (64,), 256, measurement.Budget(2, 0.01, cold_start_steps=2, num_processes=2)
)


def list_implementations(
  num_cores: int,
) -> dict[str, tuple[Implementation, ...]]:
  """Lists the implementations of each game, PyTorch's textbook loop first.

  PyTorch has a variant with one thread and one with all cores, because small
  products may be slower on many threads. XLA chooses its number of threads.
  """

  def pytorch(name, update, start):
    variants = {
      f"threads={n}": functools.partial(start, threads=n)
      for n in sorted({1, num_cores})
    }
    return Implementation(name, update, variants)

  def single(name, update, start):
    return Implementation(name, update, {"": start})

  def population(num_seeds, update, start):
    variants = {"": functools.partial(start, num_seeds=num_seeds)}
    return Implementation(
      f"gan_jax_{num_seeds}_seeds", update, variants, num_seeds
    )

  alternating, simultaneous = "alternating", "simultaneous"
  return {
    toy_game.NON_SATURATING: (
      pytorch(EAGER, alternating, toy_torch.textbook),
      pytorch("pytorch_economical", simultaneous, toy_torch.simultaneous),
      pytorch("pytorch_compiled", simultaneous, toy_torch.compiled),
      single("jax_textbook", alternating, toy_flax.textbook),
      single("gan_jax_alternating", alternating, toy_gan_jax.alternating),
      single("gan_jax", simultaneous, toy_gan_jax.simultaneous),
      population(8, simultaneous, toy_gan_jax.simultaneous),
      population(32, simultaneous, toy_gan_jax.simultaneous),
    ),
    toy_game.WGAN_GP: (
      pytorch(EAGER, alternating, toy_torch.wgan_gp_textbook),
      pytorch("pytorch_economical", alternating, toy_torch.wgan_gp_economical),
      pytorch("pytorch_compiled", alternating, toy_torch.wgan_gp_compiled),
      single("gan_jax", alternating, toy_gan_jax.wgan_gp),
      population(8, alternating, toy_gan_jax.wgan_gp),
    ),
  }


def _measure_bounds(
  rows: Sequence[Row], budget: Budget, num_cores: int
) -> list[Bound]:
  """Measures the speed that the matrix products allow.

  It multiplies large square matrices, and matrices of the step's shapes: those
  of the discriminator's hidden layer, which has most of the operations, on 2B
  rows of real and fake samples.
  """
  console.say("timing matrix products")
  threads = sorted({1, num_cores})
  seconds = budget.game.seconds
  width = budget.peak_width
  peak = matmul.measure_matmul_rate(width, width, threads, seconds)
  bounds = []
  for batch_size in budget.batch_sizes:
    layer_rate = matmul.measure_matmul_rate(
      2 * batch_size, toy_game.HIDDEN[0], threads, seconds
    )
    simultaneous = [
      row
      for row in rows
      if row.batch_size == batch_size and row.update == "simultaneous"
    ]
    flops = toy_game.step_flops(batch_size)
    for products, rate in (
      (f"{width} x {width}", peak),
      ("the step's shapes", layer_rate),
    ):
      bounds.append(bound(simultaneous, flops, products, rate))
  return bounds


def measure(quick: bool) -> dict[str, Any]:
  """Runs the suite.

  Args:
    quick: whether to take only a few steps, to test the suite.

  Returns:
    The report of `measurement.make_report`.
  """
  budget = QUICK if quick else FULL
  num_cores = len(os.sched_getaffinity(0))
  load_average = os.getloadavg()
  jax.config.update("jax_platforms", "cpu")
  devices = environment.choose_devices("cpu", num_cores)
  # With cached programs of an earlier run the first steps would not compile.
  jax.config.update("jax_enable_compilation_cache", False)
  with tempfile.TemporaryDirectory() as inductor_cache:
    # For this process and for the cold starts.
    os.environ.update(
      JAX_PLATFORMS="cpu",
      JAX_NUM_CPU_DEVICES=str(len(devices)),
      TORCHINDUCTOR_CACHE_DIR=inductor_cache,
    )
    measurements = [
      measurement.measure_game(game, batch_size, implementations, budget.game)
      for game, implementations in list_implementations(num_cores).items()
      for batch_size in budget.batch_sizes
    ]
  rows = [row for entry in measurements for row in entry.rows]
  bounds = _measure_bounds(rows, budget, num_cores)
  return measurement.make_report(
    measurements, EAGER, bounds, devices, load_average
  )
