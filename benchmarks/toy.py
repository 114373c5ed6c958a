"""The toy suite: a ring of Gaussians, against PyTorch and a tutorial's JAX."""

import functools
import os
import tempfile
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax

from benchmarks import (
  contest,
  matmul,
  toy_flax,
  toy_game,
  toy_gan_jax,
  toy_torch,
)
from benchmarks.contest import Contestant
from benchmarks.report import Bound, Row, bound
from benchmarks.report import print_report as print_report
from experiments.cli import console
from experiments.devices import environment

EAGER = "pytorch_eager"
"""The textbook loop, which ratios are taken to beside the best PyTorch."""


class Effort(NamedTuple):
  """How much is measured.

  Attributes:
    batch_sizes: of the games.
    peak_width: of the square matrices that show the machine's peak.
    contest: of each game and batch size.
  """

  batch_sizes: tuple[int, ...]
  peak_width: int
  contest: contest.Effort


FULL = Effort((64, 512), 2048, contest.Effort(7, 0.4, fresh_steps=100))
QUICK = Effort(
  (64,), 256, contest.Effort(2, 0.01, fresh_steps=2, num_processes=2)
)


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
    variants = {
      f"threads={n}": functools.partial(start, threads=n)
      for n in sorted({1, num_cores})
    }
    return Contestant(name, update, variants)

  def single(name, update, start):
    return Contestant(name, update, {"": start})

  def population(num_seeds, update, start):
    variants = {"": functools.partial(start, num_seeds=num_seeds)}
    return Contestant(f"gan_jax_{num_seeds}_seeds", update, variants, num_seeds)

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


def _bounds(rows: Sequence[Row], effort: Effort, num_cores: int) -> list[Bound]:
  """Measures what the matrix products alone allow, and how near it is.

  The step's own shapes are those of the discriminator's hidden layer, which
  has most of the operations: 2B rows, as it sees real and fake samples at once.
  """
  console.say("timing matrix products")
  threads = sorted({1, num_cores})
  seconds = effort.contest.seconds
  width = effort.peak_width
  peak = matmul.rate(width, width, threads, seconds)
  bounds = []
  for batch_size in effort.batch_sizes:
    own = matmul.rate(2 * batch_size, toy_game.HIDDEN[0], threads, seconds)
    simultaneous = [
      row
      for row in rows
      if row.batch_size == batch_size and row.update == "simultaneous"
    ]
    flops = toy_game.step_flops(batch_size)
    for products, rate in (
      (f"{width} x {width}", peak),
      ("the step's shapes", own),
    ):
      bounds.append(bound(simultaneous, flops, products, rate))
  return bounds


def measure(quick: bool) -> dict[str, Any]:
  """Runs the suite.

  Args:
    quick: whether a few steps are enough, to see that everything works.

  Returns:
    The report, but for the suite's name, as `contest.report` makes it.
  """
  effort = QUICK if quick else FULL
  num_cores = len(os.sched_getaffinity(0))
  load_average = os.getloadavg()
  jax.config.update("jax_platforms", "cpu")
  devices = environment.choose_devices("cpu", num_cores)
  # A program that an earlier run left in the cache would hide compilation.
  jax.config.update("jax_enable_compilation_cache", False)
  with tempfile.TemporaryDirectory() as inductor_cache:
    # For this process, and for those that start afresh.
    os.environ.update(
      JAX_PLATFORMS="cpu",
      JAX_NUM_CPU_DEVICES=str(len(devices)),
      TORCHINDUCTOR_CACHE_DIR=inductor_cache,
    )
    measured = [
      contest.measure(game, batch_size, everyone, effort.contest)
      for game, everyone in contestants(num_cores).items()
      for batch_size in effort.batch_sizes
    ]
  rows = [row for own in measured for row in own.rows]
  bounds = _bounds(rows, effort, num_cores)
  return contest.report(measured, EAGER, bounds, devices, load_average)
