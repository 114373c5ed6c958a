"""The scaling suite: measures the cost of a step.

The table of docs/hosts_and_devices.md has the parameters, operations, memory
and communication of one simultaneous step of one seed, for networks from an MLP
to DCGAN-64, and the time of the step on this machine.
"""

import os
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from benchmarks import (
  dcgan_game,
  dcgan_gan_jax,
  matmul,
  measurement,
  speed_tables,
  toy_game,
  toy_gan_jax,
)
from benchmarks.dcgan_game import Setting
from benchmarks.timing import Training
from experiments.devices import environment
from gan_jax.types import Array

BATCH_SIZE = 64
NUM_TURNS = 5
TURN_SECONDS = 2.0
PRODUCT_WIDTH = 2048


class Case(NamedTuple):
  """A game whose step is measured.

  Attributes:
    title: its name in the table.
    flops: operations of the matrix products of a step.
    start: starts the training.
    params: () -> the shapes of both players' parameters.
  """

  title: str
  flops: int
  start: Callable[[], Training]
  params: Callable[[], list[Array]]


def _dcgan(size: int, channels: int, depth: int) -> Case:
  setting = Setting(size, channels, depth)

  def params():
    players = dcgan_gan_jax.networks(setting)
    latents = jax.ShapeDtypeStruct((1, dcgan_game.LATENTS), float)
    images = jax.ShapeDtypeStruct((1, size, size, channels), float)
    key = jax.random.key(0)
    return jax.tree.leaves(
      [
        jax.eval_shape(player.init, key, x)["params"]
        for player, x in zip(players, (latents, images), strict=True)
      ]
    )

  return Case(
    f"DCGAN-{size}",
    dcgan_game.step_flops(setting, BATCH_SIZE, 2),
    lambda: dcgan_gan_jax.simultaneous(BATCH_SIZE, setting=setting),
    params,
  )


def _mlp_params() -> list[Array]:
  key, x = jax.random.key(0), jax.ShapeDtypeStruct((1, 2), float)
  return jax.tree.leaves(
    [jax.eval_shape(player.init, key, x) for player in toy_gan_jax.networks()]
  )


CASES = (
  Case(
    "MLP 128-128",
    toy_game.step_flops(BATCH_SIZE),
    lambda: toy_gan_jax.simultaneous(BATCH_SIZE),
    _mlp_params,
  ),
  _dcgan(28, 1, 2),
  _dcgan(32, 3, 3),
  _dcgan(64, 3, 4),
)


def measure_step_seconds(training: Training, turn_seconds: float) -> float:
  """Returns the median over several turns of the seconds per step."""
  training.take_steps(1)
  count = 1
  step_seconds = []
  while len(step_seconds) < NUM_TURNS:
    started = time.perf_counter()
    training.take_steps(count)
    elapsed = time.perf_counter() - started
    if elapsed < turn_seconds / 2:
      count *= 2
      continue
    step_seconds.append(elapsed / count)
  return statistics.median(step_seconds)


def measure(quick: bool) -> dict[str, Any]:
  """Runs the suite.

  Args:
    quick: whether to take only a few steps of the MLP, to test the suite.

  Returns:
    `machine`, `versions`, `product_gflops`, `rows`.
  """
  load_average = os.getloadavg()
  devices = environment.choose_devices("cpu", 1)
  turn_seconds = 0.01 if quick else TURN_SECONDS
  rows = [
    {
      "game": case.title,
      "parameters": sum(leaf.size for leaf in case.params()),
      "flops": case.flops,
      "step_seconds": measure_step_seconds(case.start(), turn_seconds),
    }
    for case in CASES[: 1 if quick else None]
  ]
  width = 256 if quick else PRODUCT_WIDTH
  threads = [len(os.sched_getaffinity(0))]
  product = matmul.measure_matmul_rate(width, width, threads, turn_seconds)
  return {
    **measurement.describe_machine(devices, load_average),
    "product_gflops": product / 1e9,
    "rows": rows,
  }


def print_report(report: dict[str, Any]) -> None:
  """Prints the table of a report to the standard output."""
  print(speed_tables.write_scaling(report))
