"""Few samples are always separable, however much their distributions overlap.

P and Q are normals in the plane, two standard deviations apart. They overlap:
JSD(P, Q) = 0.337 is far from log 2, and no discriminator is right more often
than the Bayes accuracy 1/2 (1 + TV) = Phi(1) = 0.841. A discriminator trained
on n samples of each separates these without error if n is small. The divergence
that it then reports, (V + log 4) / 2, is log 2, as if nothing overlapped. As n
grows its accuracy on the training samples falls to the Bayes accuracy, and its
accuracy on other samples rises to it.

References:
  Lee, Machine Learning 2021, lecture 6-2: theory of GAN and WGAN (notes, in
    Chinese), the problem of the JS divergence, second proof.
  Arjovsky and Bottou, Towards Principled Methods for Training Generative
    Adversarial Networks, arXiv 1701.04862, section 2.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from experiments.plots import curves
from experiments.reproduce.common import (
  expected,
  pictures,
  training_loops,
)
from experiments.reproduce.common.checks import at_most, close, covers
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import divergences, games, losses, steps
from gan_jax.data import densities
from gan_jax.networks.affine import Affine
from gan_jax.networks.mlp import MLP
from gan_jax.types import Array, Players, PRNGKey

DISTANCE = 2.0
BAYES = float(stats.norm.cdf(DISTANCE / 2))
"""The best possible accuracy."""
SIZES = (8, 32, 128, 512, 2048, 8192)
DRAWN_SIZES = (8, 128, 8192)
NUM_SEEDS = 8
NUM_STEPS = 2000
BATCH = 128
HELD_OUT = 20_000
LINE = np.linspace(-4.0, 4.0, 81)
NUM_DRAWN = 400


def _train_discriminator(key: PRNGKey, size: Array) -> dict[str, Array]:
  """Trains a discriminator alone on the first `size` samples of each side."""
  real_key, fake_key, init_key, train_key = jax.random.split(key, 4)
  real, fake = (
    densities.mixture(np.array([[x, 0.0]]), np.ones(1)).sample(
      sample_key, max(SIZES) + HELD_OUT
    )
    for x, sample_key in ((-DISTANCE / 2, real_key), (DISTANCE / 2, fake_key))
  )

  def choose(key, samples, n):
    return samples[jax.random.randint(key, (n,), 0, size)]

  # The generator is fixed and returns its latents, which are the samples.
  game = games.adversarial(
    Affine(),
    MLP((64, 64), 1),
    losses.non_saturating(),
    latents=lambda key, n: choose(key, fake, n),
  )
  optimizers = Players(optax.set_to_zero(), optax.adam(3e-3))
  state = training_loops.train_on_fresh_batches(
    steps.simultaneous(game, optimizers),
    steps.init_state(game, optimizers, init_key),
    lambda key: choose(key, real, BATCH),
    NUM_STEPS,
    train_key,
  )
  discriminate = game.discriminate
  assert discriminate is not None
  plane = jnp.stack(jnp.meshgrid(LINE, LINE), axis=-1, dtype=real.dtype)
  on_real, on_fake, on_plane = (
    discriminate(state.params, state.variables, x)
    for x in (real, fake, plane.reshape(-1, 2))
  )
  right = ((on_real > 0).astype(float) + (on_fake < 0)) / 2
  value = jax.nn.log_sigmoid(on_real) + jax.nn.log_sigmoid(-on_fake)
  trained_on = jnp.arange(len(real)) < size
  return {
    "training accuracy": jnp.mean(right, where=trained_on),
    "held-out accuracy": jnp.mean(right[max(SIZES) :]),
    "estimated JSD": (jnp.mean(value, where=trained_on) + math.log(4)) / 2,
    "logits": on_plane.reshape(plane.shape[:2]),
    "real": real[:NUM_DRAWN],
    "fake": fake[:NUM_DRAWN],
  }


def compute(inputs: Inputs) -> Computed:
  """Trains a discriminator for each size and seed."""
  seeds = np.arange(inputs.seed, inputs.seed + NUM_SEEDS, dtype=np.uint32)
  keys = jax.vmap(jax.random.key)(jnp.repeat(seeds, len(SIZES)))
  trained = jax.jit(
    lambda *runs: jax.lax.map(
      lambda run: _train_discriminator(*run), runs, batch_size=len(SIZES)
    )
  )(keys, jnp.tile(jnp.array(SIZES), NUM_SEEDS))
  drawn = {
    name: np.asarray(values).reshape(NUM_SEEDS, len(SIZES), *values.shape[1:])
    for name, values in trained.items()
  }
  center = DISTANCE / 2
  variation = divergences.normal_total_variation(-center, center, 1.0)
  separable = "the lecture: a few samples are separable"
  closed_form = "closed form: Phi(distance / 2)"
  jsd = expected.jensen_shannon_of_normals(DISTANCE)
  checks = [
    close("Bayes accuracy", (1 + variation) / 2, BAYES, 1e-6, closed_form),
    at_most(
      "highest held-out accuracy",
      drawn["held-out accuracy"].max(),
      BAYES,
      "no discriminator is better than the Bayes accuracy",
      margin=0.01,
    ),
  ]
  checks += [
    covers(
      f"{name}, n = {size}",
      drawn[name][:, SIZES.index(size)],
      target,
      margin,
      origin,
    )
    for name, size, target, margin, origin in (
      ("training accuracy", SIZES[0], 1.0, 0.01, separable),
      ("estimated JSD", SIZES[0], math.log(2), 0.01, f"{separable}: log 2"),
      ("training accuracy", SIZES[-1], BAYES, 0.02, closed_form),
      ("estimated JSD", SIZES[-1], jsd, 0.03, "scipy.integrate.quad"),
      ("held-out accuracy", SIZES[-1], BAYES, 0.01, closed_form),
    )
  ]
  return Computed(checks, drawn)


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws D for three sample sizes, and its accuracy over all sizes."""
  figure, panels = curves.grid(4, 2, (9.6, 9))
  pictures.headline(
    figure,
    "the fewer samples, the better D separates two overlapping distributions",
  )
  for axes, size in zip(panels, DRAWN_SIZES, strict=False):
    _draw_plane(axes, drawn, size)
  panels[0].legend(fontsize=9, loc="lower left", markerscale=2)
  axes = panels[-1]
  for name, color, marker, label in (
    ("training", curves.DISCRIMINATOR, "o", "on the training samples"),
    ("held-out", curves.AVERAGE, "s", "on other samples"),
  ):
    values = drawn[f"{name} accuracy"]
    axes.plot(SIZES, values.mean(0), color=color, marker=marker, label=label)
    axes.plot(SIZES, values.T, marker, color=color, ms=3, alpha=0.5)
  axes.axhline(
    BAYES, color=curves.DATA, label="best possible (Bayes)", **curves.REFERENCE
  )
  axes.set_xscale("log")
  axes.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
  axes.minorticks_off()
  axes.set_title(f"accuracy of D, mean and {NUM_SEEDS} seeds", fontsize=10)
  axes.set(xlabel="n, samples of each", ylabel="accuracy", ylim=(0.68, 1.02))
  axes.legend(fontsize=9, frameon=False)
  return figure


def _draw_plane(axes: Axes, drawn: Mapping[str, Any], size: int) -> None:
  """Draws the samples of the first seed and the decision boundary of D."""
  index = SIZES.index(size)
  plane = LINE, LINE, drawn["logits"][0, index]
  color = curves.DISCRIMINATOR
  areas = [curves.GENERATED, curves.DATA]
  axes.contourf(*plane, levels=[-np.inf, 0, np.inf], colors=areas, alpha=0.12)
  axes.contour(*plane, levels=[0], colors=[color], linewidths=1.5)
  axes.plot([], [], color=color, label="D = 1/2")
  axes.axvline(0, color=color, label="D* = 1/2", **curves.REFERENCE)
  for name, color, label in (
    ("real", curves.DATA, "data"),
    ("fake", curves.GENERATED, "generated samples"),
  ):
    points = drawn[name][0, index, :size]
    axes.plot(*points.T, ".", color=color, ms=4, label=label)
  accuracy = drawn["training accuracy"][0, index]
  axes.set_title(
    f"n = {size:,} of each: {100 * accuracy:.1f} % classified right",
    fontsize=10,
  )
  ends = LINE[0], LINE[-1]
  axes.set(xlim=ends, ylim=ends, aspect="equal", xlabel="x", ylabel="y")
  axes.grid(False)


REPRODUCTION = Reproduction(
  id="few_samples_separable",
  source="Lee 2021, lecture 6-2, the problem of the JS divergence",
  summary="a few samples of two overlapping distributions are separable",
  compute=compute,
  draw=draw,
  trains=True,
)
