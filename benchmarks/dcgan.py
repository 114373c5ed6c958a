"""The suite on images: DCGAN and WGAN-GP, against PyTorch and textbook Flax."""

# PyTorch is an extra, which need not be there where types are checked.
# pyright: reportMissingImports=false

import functools
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import torch

from benchmarks import (
  contest,
  dcgan_flax,
  dcgan_game,
  dcgan_gan_jax,
  dcgan_torch,
  matmul,
  wgan_gp_torch,
)
from benchmarks.contest import Contestant
from benchmarks.dcgan_game import Setting
from benchmarks.dcgan_torch import Arrangement
from benchmarks.report import Bound, Row, bound
from benchmarks.report import print_report as print_report
from experiments.cli import console
from experiments.devices import environment

FLAX = "flax_textbook"
"""The contestant that ratios are taken to beside the best PyTorch."""
FLAX_ROUNDS = 3
"""Its turns, which are the longest."""
NUM_BACKWARD = {
  "pytorch_simultaneous": 2,
  "gan_jax": 2,
  "gan_jax_without_batch_norm": 1,
}
"""By simultaneous contestant of DCGAN, its passes back through D."""


class Effort(NamedTuple):
  """How much is measured.

  Attributes:
    dcgan: settings of DCGAN.
    wgan_gp: settings of WGAN-GP.
    batch_sizes: of DCGAN.
    wgan_gp_batch_sizes: of WGAN-GP.
    fed: those of `dcgan` where minibatches of a data set compete with a fixed
      one.
    peak_width: of the square matrices that show the machine's peak.
    contest: of each game and batch size.
  """

  dcgan: tuple[Setting, ...]
  wgan_gp: tuple[Setting, ...]
  batch_sizes: tuple[int, ...]
  wgan_gp_batch_sizes: tuple[int, ...]
  fed: tuple[Setting, ...]
  peak_width: int
  contest: contest.Effort


FULL = Effort(
  dcgan=(Setting(28, 1, 2), Setting(32, 3, 3), Setting(64, 3, 4)),
  wgan_gp=(Setting(32, 3, 3),),
  batch_sizes=(64, 128),
  wgan_gp_batch_sizes=(64,),
  fed=(Setting(28, 1, 2),),
  peak_width=2048,
  contest=contest.Effort(5, 2.0, fresh_steps=2),
)
QUICK = Effort(
  dcgan=(Setting(16, 1, 2, filters=4),),
  wgan_gp=(Setting(16, 1, 2, filters=4),),
  batch_sizes=(4,),
  wgan_gp_batch_sizes=(4,),
  fed=(),
  peak_width=256,
  contest=contest.Effort(2, 0.01, fresh_steps=2, num_processes=2),
)


def _pytorch(name, update, start, setting, arrangements):
  variants = {
    own.title(): functools.partial(start, setting=setting, arrangement=own)
    for own in arrangements
  }
  return Contestant(name, update, variants)


def _jax(name, update, start, max_rounds=None, **kwargs):
  variants = {"": functools.partial(start, **kwargs)}
  return Contestant(
    name, update, variants, max_rounds=max_rounds, restarts=True
  )


def _check_equal(*num_params: Sequence[int]) -> None:
  """Checks that contestants' networks have as many parameters."""
  if len(set(num_params)) > 1:
    raise RuntimeError(f"networks of unequal sizes compete: {num_params}")


def dcgan(
  setting: Setting, arrangements: Sequence[Arrangement]
) -> tuple[Contestant, ...]:
  """Lists the contestants of DCGAN's game.

  Args:
    setting: of the game.
    arrangements: of PyTorch.

  Raises:
    RuntimeError: if their networks are of unequal sizes.
  """
  _check_equal(
    dcgan_torch.num_params(dcgan_torch.players(setting)),
    dcgan_flax.num_params(dcgan_flax.networks(setting), setting),
    dcgan_flax.num_params(dcgan_gan_jax.networks(setting), setting),
  )
  pytorch = functools.partial(
    _pytorch, setting=setting, arrangements=arrangements
  )
  ours = functools.partial(
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
    ours("gan_jax"),
    ours("gan_jax_without_batch_norm", batch_norm=False),
  )


def fed(setting: Setting) -> tuple[Contestant, ...]:
  """Lists ours that draw minibatches of a data set, on and off the device."""
  ours = functools.partial(
    _jax,
    update="simultaneous",
    start=dcgan_gan_jax.drawing,
    setting=setting,
  )
  return (
    ours("gan_jax_resident", on_device=True),
    ours("gan_jax_streamed", on_device=False),
  )


def wgan_gp(
  setting: Setting, arrangements: Sequence[Arrangement]
) -> tuple[Contestant, ...]:
  """Lists the contestants of WGAN-GP.

  Args:
    setting: of the game.
    arrangements: of PyTorch.

  Raises:
    RuntimeError: if their networks are of unequal sizes.
  """
  _check_equal(
    dcgan_torch.num_params(wgan_gp_torch.players(setting)),
    dcgan_flax.num_params(dcgan_gan_jax.wgan_gp_networks(setting), setting),
  )
  alternating, simultaneous = "alternating", "simultaneous"
  pytorch = functools.partial(
    _pytorch, setting=setting, arrangements=arrangements
  )
  ours = functools.partial(_jax, setting=setting)
  return (
    pytorch("pytorch_textbook", alternating, wgan_gp_torch.textbook),
    pytorch("pytorch_simultaneous", simultaneous, wgan_gp_torch.simultaneous),
    ours("gan_jax_alternating", alternating, dcgan_gan_jax.wgan_gp_alternating),
    ours("gan_jax", simultaneous, dcgan_gan_jax.wgan_gp_simultaneous),
  )


class Game(NamedTuple):
  """What is played on some batch sizes, and by whom."""

  title: str
  batch_sizes: tuple[int, ...]
  everyone: tuple[Contestant, ...]


def games(effort: Effort, device: str) -> list[Game]:
  """Lists the games.

  Args:
    effort: how much to measure.
    device: of PyTorch, "cpu" or "cuda"; a GPU has bfloat16 and a compiler too.

  Returns:
    The games.

  Raises:
    RuntimeError: if networks of a game are of unequal sizes.
  """
  contiguous = Arrangement(device, threads=len(os.sched_getaffinity(0)))
  channels_last = contiguous._replace(channels_last=True)
  arrangements = [contiguous, channels_last]
  dtypes = ["float32"]
  if device == "cuda":
    arrangements.append(channels_last._replace(compiled=True))
    dtypes.append("bfloat16")
  listed = []
  for dtype in dtypes:
    for own in effort.dcgan:
      setting = own._replace(dtype=dtype)
      everyone = dcgan(setting, arrangements)
      if own in effort.fed:
        everyone += fed(setting)
      listed.append(Game(setting.title(), effort.batch_sizes, everyone))
    for setting in (own._replace(dtype=dtype) for own in effort.wgan_gp):
      title = f"wgan_gp {setting.title()}"
      everyone = wgan_gp(setting, arrangements)
      listed.append(Game(title, effort.wgan_gp_batch_sizes, everyone))
  return listed


def _measure(game: Game, effort: Effort) -> list[contest.Measured]:
  """Measures a game, and first steps and memory at its largest batch size."""
  return [
    contest.measure(
      game.title,
      batch_size,
      game.everyone,
      effort.contest,
      starts_afresh=batch_size == max(game.batch_sizes),
    )
    for batch_size in game.batch_sizes
  ]


def _bounds(rows: Sequence[Row], effort: Effort) -> list[Bound]:
  """Measures what DCGAN's products alone allow, and how near it is."""
  console.say("timing matrix products")
  width = effort.peak_width
  threads = [len(os.sched_getaffinity(0))]
  peak = matmul.rate(width, width, threads, effort.contest.seconds)
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
    for setting in effort.dcgan
    for batch_size in effort.batch_sizes
    for num_backward in (2, 1)
  ]


def measure(quick: bool) -> dict[str, Any]:
  """Runs the suite, on a GPU where PyTorch and JAX both have one.

  Args:
    quick: whether a few steps are enough, to see that everything works.

  Returns:
    The report, but for the suite's name, as `contest.report` makes it.
  """
  effort = QUICK if quick else FULL
  load_average = os.getloadavg()
  # PyTorch shares a GPU with JAX, which would take most of its memory.
  os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
  if not torch.cuda.is_available():
    os.environ["JAX_PLATFORMS"] = "cpu"
    jax.config.update("jax_platforms", "cpu")
  if quick:
    # Half of the time to compile.
    os.environ["XLA_FLAGS"] = (
      f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0 "
      "--xla_llvm_disable_expensive_passes=true"
    )
  devices = environment.choose_devices("auto", 1)
  # A program that an earlier run left in the cache would hide compilation.
  jax.config.update("jax_enable_compilation_cache", False)
  device = "cuda" if devices[0].platform == "gpu" else "cpu"
  measured = [
    own for game in games(effort, device) for own in _measure(game, effort)
  ]
  rows = [row for own in measured for row in own.rows]
  bounds = _bounds(rows, effort)
  return contest.report(measured, FLAX, bounds, devices, load_average)
