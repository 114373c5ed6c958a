"""The dcgan suite: trains DCGAN and WGAN-GP in several frameworks."""

# PyTorch is an optional dependency and may be missing when types are checked.
# pyright: reportMissingImports=false

import functools
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import torch

from benchmarks import (
  dcgan_flax,
  dcgan_game,
  dcgan_gan_jax,
  dcgan_torch,
  matmul,
  measurement,
  wgan_gp_torch,
)
from benchmarks.dcgan_game import Setting
from benchmarks.dcgan_torch import TorchOptions
from benchmarks.measurement import Implementation
from benchmarks.report import Bound, Row, bound
from benchmarks.report import print_report as print_report
from experiments.cli import console
from experiments.devices import environment

FLAX = "flax_textbook"
"""Name of textbook Flax, the reference of the ratios."""
FLAX_ROUNDS = 3
"""Rounds of textbook Flax, fewer than the others because its turns are the
longest."""
NUM_BACKWARD = {
  "pytorch_simultaneous": 2,
  "gan_jax": 2,
  "gan_jax_without_batch_norm": 1,
}
"""Backward passes through D of DCGAN's simultaneous implementations."""


class Budget(NamedTuple):
  """How much to measure.

  Attributes:
    dcgan: settings of DCGAN.
    wgan_gp: settings of WGAN-GP.
    batch_sizes: batch sizes of DCGAN.
    wgan_gp_batch_sizes: batch sizes of WGAN-GP.
    with_dataset: the settings of `dcgan` that also train on minibatches of a
      dataset; all others train on one fixed minibatch.
    peak_width: width of the square matrices that measure the peak rate.
    game: how much to measure for each game and batch size.
  """

  dcgan: tuple[Setting, ...]
  wgan_gp: tuple[Setting, ...]
  batch_sizes: tuple[int, ...]
  wgan_gp_batch_sizes: tuple[int, ...]
  with_dataset: tuple[Setting, ...]
  peak_width: int
  game: measurement.Budget


FULL = Budget(
  dcgan=(Setting(28, 1, 2), Setting(32, 3, 3), Setting(64, 3, 4)),
  wgan_gp=(Setting(32, 3, 3),),
  batch_sizes=(64, 128),
  wgan_gp_batch_sizes=(64,),
  with_dataset=(Setting(28, 1, 2),),
  peak_width=2048,
  game=measurement.Budget(5, 2.0, cold_start_steps=2),
)
QUICK = Budget(
  dcgan=(Setting(16, 1, 2, filters=4),),
  wgan_gp=(Setting(16, 1, 2, filters=4),),
  batch_sizes=(4,),
  wgan_gp_batch_sizes=(4,),
  with_dataset=(),
  peak_width=256,
  game=measurement.Budget(2, 0.01, cold_start_steps=2, num_processes=2),
)


def _pytorch(name, update, start, setting, variants):
  return Implementation(
    name,
    update,
    {
      options.title(): functools.partial(
        start, setting=setting, options=options
      )
      for options in variants
    },
  )


def _jax(name, update, start, max_rounds=None, **kwargs):
  variants = {"": functools.partial(start, **kwargs)}
  return Implementation(
    name, update, variants, max_rounds=max_rounds, restarts=True
  )


def _check_equal(*num_params: Sequence[int]) -> None:
  """Checks that all implementations have the same number of parameters."""
  if len(set(num_params)) > 1:
    raise RuntimeError(
      f"the networks to compare have unequal sizes: {num_params}"
    )


def list_dcgan(
  setting: Setting, variants: Sequence[TorchOptions]
) -> tuple[Implementation, ...]:
  """Lists the implementations of DCGAN, with these variants of PyTorch.

  Raises:
    RuntimeError: if their networks have unequal sizes.
  """
  _check_equal(
    dcgan_torch.num_params(dcgan_torch.players(setting)),
    dcgan_flax.num_params(dcgan_flax.networks(setting), setting),
    dcgan_flax.num_params(dcgan_gan_jax.networks(setting), setting),
  )
  pytorch = functools.partial(_pytorch, setting=setting, variants=variants)
  gan_jax = functools.partial(
    _jax,
    update="simultaneous",
    start=dcgan_gan_jax.simultaneous,
    setting=setting,
  )
  return (
    pytorch("pytorch_textbook", "alternating", dcgan_torch.textbook),
    pytorch("pytorch_simultaneous", "simultaneous", dcgan_torch.simultaneous),
    _jax(
      FLAX,
      "alternating",
      dcgan_flax.textbook,
      max_rounds=FLAX_ROUNDS,
      setting=setting,
    ),
    gan_jax("gan_jax"),
    gan_jax("gan_jax_without_batch_norm", batch_norm=False),
  )


def list_dcgan_with_dataset(setting: Setting) -> tuple[Implementation, ...]:
  """Lists this library's trainings on a dataset, kept on the device or not."""
  gan_jax = functools.partial(
    _jax,
    update="simultaneous",
    start=dcgan_gan_jax.simultaneous_with_dataset,
    setting=setting,
  )
  return (
    gan_jax("gan_jax_resident", on_device=True),
    gan_jax("gan_jax_streamed", on_device=False),
  )


def list_wgan_gp(
  setting: Setting, variants: Sequence[TorchOptions]
) -> tuple[Implementation, ...]:
  """Lists the implementations of WGAN-GP, with these variants of PyTorch.

  Raises:
    RuntimeError: if their networks have unequal sizes.
  """
  _check_equal(
    dcgan_torch.num_params(wgan_gp_torch.players(setting)),
    dcgan_flax.num_params(dcgan_gan_jax.wgan_gp_networks(setting), setting),
  )
  alternating, simultaneous = "alternating", "simultaneous"
  pytorch = functools.partial(_pytorch, setting=setting, variants=variants)
  gan_jax = functools.partial(_jax, setting=setting)
  return (
    pytorch("pytorch_textbook", alternating, wgan_gp_torch.textbook),
    pytorch("pytorch_simultaneous", simultaneous, wgan_gp_torch.simultaneous),
    gan_jax(
      "gan_jax_alternating", alternating, dcgan_gan_jax.wgan_gp_alternating
    ),
    gan_jax("gan_jax", simultaneous, dcgan_gan_jax.wgan_gp_simultaneous),
  )


class Game(NamedTuple):
  """A game with its batch sizes and implementations."""

  title: str
  batch_sizes: tuple[int, ...]
  implementations: tuple[Implementation, ...]


def list_games(budget: Budget, device: str) -> list[Game]:
  """Lists the games.

  Args:
    budget: how much to measure.
    device: device of PyTorch, "cpu" or "cuda". On a GPU there are games in
      bfloat16 and compiled variants of PyTorch too.

  Raises:
    RuntimeError: if the networks of a game have unequal sizes.
  """
  contiguous = TorchOptions(device, threads=len(os.sched_getaffinity(0)))
  channels_last = contiguous._replace(channels_last=True)
  variants = [contiguous, channels_last]
  dtypes = ["float32"]
  if device == "cuda":
    variants.append(channels_last._replace(compiled=True))
    dtypes.append("bfloat16")
  games = []
  for dtype in dtypes:
    for float32_setting in budget.dcgan:
      setting = float32_setting._replace(dtype=dtype)
      implementations = list_dcgan(setting, variants)
      if float32_setting in budget.with_dataset:
        implementations += list_dcgan_with_dataset(setting)
      games.append(Game(setting.title(), budget.batch_sizes, implementations))
    for float32_setting in budget.wgan_gp:
      setting = float32_setting._replace(dtype=dtype)
      games.append(
        Game(
          f"wgan_gp {setting.title()}",
          budget.wgan_gp_batch_sizes,
          list_wgan_gp(setting, variants),
        )
      )
  return games


def _measure_batch_sizes(
  game: Game, budget: Budget
) -> list[measurement.Measurements]:
  """Measures a game, with cold starts at its largest batch size only."""
  return [
    measurement.measure_game(
      game.title,
      batch_size,
      game.implementations,
      budget.game,
      cold_starts=batch_size == max(game.batch_sizes),
    )
    for batch_size in game.batch_sizes
  ]


def _measure_bounds(rows: Sequence[Row], budget: Budget) -> list[Bound]:
  """Measures the speed that the matrix products of DCGAN allow."""
  console.say("timing matrix products")
  width = budget.peak_width
  threads = [len(os.sched_getaffinity(0))]
  peak = matmul.measure_matmul_rate(width, width, threads, budget.game.seconds)
  return [
    bound(
      [
        row
        for row in rows
        if (row.game, row.batch_size) == (setting.title(), batch_size)
        and NUM_BACKWARD.get(row.name) == num_backward
      ],
      dcgan_game.step_flops(setting, batch_size, num_backward),
      f"{width} x {width}",
      peak,
    )
    for setting in budget.dcgan
    for batch_size in budget.batch_sizes
    for num_backward in (2, 1)
  ]


def measure(quick: bool) -> dict[str, Any]:
  """Runs the suite, on a GPU if PyTorch and JAX both have one.

  Args:
    quick: whether to take only a few steps, to test the suite.

  Returns:
    The report of `measurement.make_report`.
  """
  budget = QUICK if quick else FULL
  load_average = os.getloadavg()
  # PyTorch needs memory of the GPU, most of which JAX would preallocate.
  os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
  if not torch.cuda.is_available():
    os.environ["JAX_PLATFORMS"] = "cpu"
    jax.config.update("jax_platforms", "cpu")
  if quick:
    # Compiles in half of the time.
    os.environ["XLA_FLAGS"] = (
      f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0 "
      "--xla_llvm_disable_expensive_passes=true"
    )
  devices = environment.choose_devices("auto", 1)
  # With cached programs of an earlier run the first steps would not compile.
  jax.config.update("jax_enable_compilation_cache", False)
  device = "cuda" if devices[0].platform == "gpu" else "cpu"
  measurements = [
    entry
    for game in list_games(budget, device)
    for entry in _measure_batch_sizes(game, budget)
  ]
  rows = [row for entry in measurements for row in entry.rows]
  bounds = _measure_bounds(rows, budget)
  return measurement.make_report(
    measurements, FLAX, bounds, devices, load_average
  )
