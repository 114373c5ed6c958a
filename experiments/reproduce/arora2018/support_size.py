"""Duplicates in small batches reveal how many things a generator can make.

A batch of n samples of N equally likely things has no duplicate with
probability

  (1 - 1/N) (1 - 2/N) ... (1 - (n - 1)/N).

It falls to a half at about n = sqrt(2 log 2 N) = 1.177 sqrt(N): half of all
groups of 23 people share a birthday. So a batch size n at which half of the
batches have duplicates gives the estimate n^2 / (2 log 2) of N. With unequal
probabilities p_i the probability is n! e_n(p), with the elementary symmetric
polynomial e_n, and duplicates are more frequent: the test then estimates less
than the size of the support.

The data is a grid of 40 x 40 modes in the plane. A generator that has collapsed
makes only N of them. Two samples are duplicates if they are nearer than a
quarter of the distance between modes. The test counts the modes without knowing
them. A last generator makes 400 modes with probabilities in proportion to 1/i.
The bounds of the checks were set before the first run.

Source: Arora and Zhang, Do GANs actually learn the distribution? An empirical
study, arXiv 1706.08224, and Arora, Risteski and Zhang, Do GANs learn the
distribution? Some theory and empirics, ICLR 2018, which look for duplicates of
faces by eye. The grid is ours.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, trajectories
from experiments.reproduce.common.checks import Check, at_most, close
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax.data import densities
from gan_jax.data.densities import Density
from gan_jax.types import Array

SIDE, SPACING = 40, 2.0
RADIUS = SPACING / 4
NUM_MODES = (25, 100, 400, 1_600)
UNEQUAL = "400, unequal"
NUM_BATCHES = 2_000
CASES = (*map(str, NUM_MODES), UNEQUAL)
COLORS = dict(
  zip(
    CASES,
    (
      curves.GENERATED,
      curves.DISCRIMINATOR,
      trajectories.FLOW,
      trajectories.SKY,
      curves.AVERAGE,
    ),
    strict=True,
  )
)


class Curve(NamedTuple):
  """How often batches have duplicates.

  Attributes:
    measured: [n], the share of batches of 1, ..., n samples with duplicates.
    exact: [n], its expectation.
  """

  measured: np.ndarray
  exact: np.ndarray


def collision_probabilities(p: np.ndarray, n: int) -> np.ndarray:
  """Computes the probabilities [n] of duplicates among 1, ..., n samples.

  1 - k! e_k(p), from the recursion of the elementary symmetric polynomials over
  the probabilities p.
  """
  # scaled[k] is k! e_k of the probabilities so far.
  scaled = np.zeros(n + 1)
  scaled[0] = 1.0
  counts = np.arange(1, n + 1)
  for each in p:
    scaled[1:] = scaled[1:] + counts * each * scaled[:-1]
  return 1 - scaled[1:]


def half_size(shares: np.ndarray) -> float:
  """Returns the size at which shares [n] of sizes 1, ..., n reach a half."""
  after = int(np.argmax(shares >= 0.5))
  below, above = shares[after - 1], shares[after]
  return after + (0.5 - below) / (above - below)


def support_size(size: float) -> float:
  """Estimates the size of the support from the half size."""
  return size**2 / (2 * math.log(2))


def first_duplicate(points: Array) -> Array:
  """Returns the number of points [n, 2] up to the first duplicate, [].

  It is n + 1 if there is none.
  """
  n = len(points)
  offsets = points[:, None] - points[None]
  near = jnp.sum(offsets**2, axis=-1) < RADIUS**2
  # Row i has its duplicates among the points before it.
  repeats = jnp.any(jnp.tril(near, -1), axis=1)
  return jnp.where(jnp.any(repeats), jnp.argmax(repeats) + 1, n + 1)


def collapsed(num_modes: int, seed: int) -> tuple[Density, np.ndarray]:
  """Returns a generator of a part of the grid, and its probabilities."""
  modes = np.asarray(densities.grid(SIDE, SPACING).modes)
  rng = np.random.default_rng(seed)
  kept = modes[rng.permutation(len(modes))[:num_modes]]
  p = np.full(num_modes, 1 / num_modes)
  return densities.mixture(kept, np.full(num_modes, 0.05), p), p


def unequal(seed: int) -> tuple[Density, np.ndarray]:
  """Returns a generator of 400 modes with probabilities like 1/i."""
  density, p = collapsed(400, seed)
  p = 1 / np.arange(1, len(p) + 1)
  p /= p.sum()
  return densities.mixture(density.modes, density.mode_stddev, p), p


def measure(density: Density, p: np.ndarray, seed: int) -> Curve:
  """Draws batches, and compares their duplicates with the exact numbers."""
  longest = math.ceil(3 * math.sqrt(len(p)))

  def first(seed):
    return first_duplicate(density.sample(jax.random.key(seed), longest))

  seeds = jnp.arange(seed, seed + NUM_BATCHES, dtype=jnp.uint32)
  firsts = jax.jit(lambda seeds: jax.lax.map(first, seeds))(seeds)
  sizes = np.arange(1, longest + 1)
  measured = np.mean(np.asarray(firsts)[:, None] <= sizes, axis=0)
  return Curve(measured, collision_probabilities(p, longest))


def compute(inputs: Inputs) -> Computed:
  """Runs the birthday test on generators of known support."""
  generators = {
    **{str(n): collapsed(n, inputs.seed) for n in NUM_MODES},
    UNEQUAL: unequal(inputs.seed),
  }
  measured = {
    name: measure(density, p, inputs.seed)
    for name, (density, p) in generators.items()
  }
  days, many = (
    collision_probabilities(np.full(n, 1 / n), longest)
    for n, longest in ((365, 30), (40_000, 300))
  )
  checks = [
    close(
      "people whose birthdays coincide in half of all groups",
      np.ceil(half_size(days)),
      23,
      0,
      "365 (365 - 1) ... (365 - 22) / 365^23 < 1/2",
    ),
    close(
      "half size of 40,000 things, in units of the root",
      half_size(many) / math.sqrt(40_000),
      math.sqrt(2 * math.log(2)),
      2e-3,
      "sqrt(2 log 2)",
    ),
  ]
  for name, curve in measured.items():
    checks += _curve_checks(name, curve)
  return Computed(checks, measured)


def _curve_checks(name: str, curve: Curve) -> list[Check]:
  """Checks one generator's shares of duplicates, and its estimate."""
  estimate = support_size(half_size(curve.measured))
  checks = [
    at_most(
      f"{name} modes: greatest error of the share of batches with duplicates",
      np.abs(curve.measured - curve.exact).max(),
      0.045,
      "n! e_n(p); exceeded by chance once in 1,600 times",
    )
  ]
  if name == UNEQUAL:
    checks.append(
      at_most(
        f"{name}: estimate over the size of the support",
        estimate / 400,
        0.5,
        "unequal modes collide more often",
      )
    )
  else:
    checks.append(
      at_most(
        f"{name} modes: |log| of the estimate over the truth",
        abs(math.log(estimate / int(name))),
        math.log(1.25),
        "n^2 / (2 log 2), within a factor of 1.25",
      )
    )
  return checks


def draw(drawn: Mapping[str, Curve]) -> Figure:
  """Draws the shares of batches with duplicates, and the estimates."""
  figure, (shares, estimates) = curves.grid(2, 2, (11, 4.8))
  pictures.headline(
    figure,
    "the birthday test: the size at which half of the batches have duplicates "
    "tells how many modes a generator makes",
  )
  for name, curve in drawn.items():
    sizes = np.arange(1, len(curve.measured) + 1)
    # Some twenty dots of each curve.
    every = max(len(sizes) // 20, 1)
    shares.plot(sizes, curve.exact, color=COLORS[name], lw=1)
    shares.plot(
      sizes[::every],
      curve.measured[::every],
      "o",
      ms=4,
      color=COLORS[name],
      label=f"{name} modes",
    )
    estimates.plot(
      400 if name == UNEQUAL else int(name),
      support_size(half_size(curve.measured)),
      "o",
      ms=8,
      color=COLORS[name],
    )
  shares.axhline(0.5, color=curves.FRAME, **curves.REFERENCE)
  shares.set_xscale("log")
  shares.set_title("dots: measured; lines: exact", fontsize=10)
  shares.set(xlabel="size of the batch", ylabel="batches with duplicates")
  ends = (NUM_MODES[0] / 1.5, NUM_MODES[-1] * 1.5)
  estimates.loglog(ends, ends, color=curves.DATA, lw=1)
  estimates.set_title("estimate: half size squared / (2 log 2)", fontsize=10)
  estimates.set(xlabel="modes of the generator", ylabel="estimate")
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="arora2018_birthday",
  source="Arora et al. 2018, arXiv 1706.08224",
  summary="duplicates in small batches tell how many modes a generator makes",
  compute=compute,
  draw=draw,
)
