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
from scipy import integrate, stats

from experiments.plots import curves
from experiments.reproduce.common import pictures, training_loops
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.run_folder.results import Results
from gan_jax import divergences, games, losses, steps
from gan_jax.data import densities
from gan_jax.networks.affine import Affine
from gan_jax.networks.mlp import MLP
from gan_jax.types import Array, Players, PRNGKey

DISTANCE = 2.0
SIZES = (8, 32, 128, 512, 2048, 8192)
DRAWN_SIZES = (8, 128, 8192)
NUM_SEEDS = 3
NUM_STEPS = 2000
BATCH = 128
HELD_OUT = 20_000
LINE = np.linspace(-4.0, 4.0, 81)
NUM_DRAWN = 400


def _density(x: float) -> densities.Density:
  """Returns the isotropic normal around (x, 0) of standard deviation 1."""
  return densities.mixture(np.array([[x, 0.0]]), np.ones(1))


def _train_discriminator(key: PRNGKey, size: Array) -> dict[str, Array]:
  """Trains a discriminator alone on the first `size` samples of each side."""
  real_key, fake_key, init_key, train_key, test_key = jax.random.split(key, 5)
  p, q = _density(-DISTANCE / 2), _density(DISTANCE / 2)
  real = p.sample(real_key, max(SIZES))
  fake = q.sample(fake_key, max(SIZES))

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

  def logits(x):
    return discriminate(state.params, state.variables, x)

  on_real, on_fake = logits(real), logits(fake)
  # Averages over the training samples only.
  weights = jnp.where(jnp.arange(max(SIZES)) < size, 1 / size, 0.0)
  right = jnp.sum(weights * (on_real > 0)) + jnp.sum(weights * (on_fake < 0))
  value = jnp.sum(weights * jax.nn.log_sigmoid(on_real)) + jnp.sum(
    weights * jax.nn.log_sigmoid(-on_fake)
  )
  real_test_key, fake_test_key = jax.random.split(test_key)
  held_out = jnp.mean(logits(p.sample(real_test_key, HELD_OUT)) > 0)
  held_out += jnp.mean(logits(q.sample(fake_test_key, HELD_OUT)) < 0)
  line = jnp.asarray(LINE, real.dtype)
  plane = jnp.stack(jnp.meshgrid(line, line), axis=-1)
  return {
    "training": right / 2,
    "held_out": held_out / 2,
    "jsd": (value + math.log(4)) / 2,
    "logits": logits(plane.reshape(-1, 2)).reshape(plane.shape[:2]),
    "real": real[:NUM_DRAWN],
    "fake": fake[:NUM_DRAWN],
  }


def compute(runs: Mapping[str, Results]) -> Computed:
  """Trains a discriminator for each size and seed."""
  del runs
  sizes = jnp.tile(jnp.asarray(SIZES), (NUM_SEEDS, 1)).ravel()
  keys = jnp.repeat(
    jax.vmap(jax.random.key)(jnp.arange(NUM_SEEDS)), len(SIZES), axis=0
  )
  trained = jax.jit(
    lambda keys, sizes: jax.lax.map(
      lambda run: _train_discriminator(*run),
      (keys, sizes),
      batch_size=len(SIZES),
    )
  )(keys, sizes)
  drawn = {
    name: np.asarray(values).reshape(NUM_SEEDS, len(SIZES), *values.shape[1:])
    for name, values in trained.items()
  }
  training, held_out, jsd = (
    drawn[name].mean(axis=0) for name in ("training", "held_out", "jsd")
  )
  centre = jnp.asarray(DISTANCE / 2)
  bayes = 0.5 + 0.5 * divergences.normal_total_variation(
    -centre, centre, jnp.ones(())
  )
  return Computed(
    measured={
      "Bayes accuracy": float(bayes),
      f"training accuracy, n = {SIZES[0]}": training[0],
      f"estimated JSD, n = {SIZES[0]}": jsd[0],
      f"held-out accuracy, n = {SIZES[0]}": held_out[0],
      f"training accuracy, n = {SIZES[-1]}": training[-1],
      f"estimated JSD, n = {SIZES[-1]}": jsd[-1],
      f"held-out accuracy, n = {SIZES[-1]}": held_out[-1],
    },
    drawn=drawn,
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws D for three sample sizes, and its accuracy over all sizes."""
  figure, panels = curves.grid(4, 2, (9.6, 9))
  pictures.headline(
    figure,
    "the fewer samples, the better D separates two overlapping distributions",
  )
  for axes, size in zip(panels, DRAWN_SIZES, strict=False):
    _draw_plane(axes, drawn, SIZES.index(size))
  _draw_accuracies(panels[-1], drawn)
  panels[0].legend(fontsize=9, loc="lower left", markerscale=2)
  panels[-1].legend(fontsize=9, frameon=False)
  return figure


def _draw_plane(axes: Axes, drawn: Mapping[str, Any], index: int) -> None:
  """Draws the samples of seed 0 and the decision boundary of D."""
  size = min(SIZES[index], NUM_DRAWN)
  logits = drawn["logits"][0, index]
  axes.contourf(
    LINE,
    LINE,
    logits,
    levels=[-np.inf, 0, np.inf],
    colors=[curves.GENERATED, curves.DATA],
    alpha=0.12,
  )
  axes.contour(
    LINE,
    LINE,
    logits,
    levels=[0],
    colors=[curves.DISCRIMINATOR],
    linewidths=1.5,
  )
  axes.plot([], [], color=curves.DISCRIMINATOR, label="D = 1/2")
  axes.axvline(
    0, color=curves.DISCRIMINATOR, label="D* = 1/2", **curves.REFERENCE
  )
  for name, color, label in (
    ("real", curves.DATA, "data"),
    ("fake", curves.GENERATED, "generated samples"),
  ):
    axes.plot(
      *drawn[name][0, index, :size].T, ".", color=color, ms=4, label=label
    )
  accuracy = drawn["training"][0, index]
  axes.set_title(
    f"n = {SIZES[index]:,} of each: {100 * accuracy:.1f} % classified right",
    fontsize=10,
  )
  axes.set(
    xlim=(LINE[0], LINE[-1]),
    ylim=(LINE[0], LINE[-1]),
    aspect="equal",
    xlabel="x",
    ylabel="y",
  )
  axes.grid(False)


def _draw_accuracies(axes: Axes, drawn: Mapping[str, Any]) -> None:
  """Draws both accuracies over n, with a dot for each seed."""
  for name, color, marker, label in (
    ("training", curves.DISCRIMINATOR, "o", "on the training samples"),
    ("held_out", curves.AVERAGE, "s", "on other samples"),
  ):
    axes.plot(
      SIZES, drawn[name].mean(axis=0), color=color, marker=marker, label=label
    )
    axes.plot(SIZES, drawn[name].T, marker, color=color, ms=3, alpha=0.5)
  axes.axhline(
    _bayes(),
    color=curves.DATA,
    label="best possible (Bayes)",
    **curves.REFERENCE,
  )
  axes.set_xscale("log")
  axes.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
  axes.minorticks_off()
  axes.set_title(f"accuracy of D, mean and {NUM_SEEDS} seeds", fontsize=10)
  axes.set(xlabel="n, samples of each", ylabel="accuracy", ylim=(0.68, 1.02))


def _bayes() -> float:
  """Returns the best possible accuracy, Phi(distance / 2)."""
  return float(stats.norm.cdf(DISTANCE / 2))


def _jsd() -> float:
  """Integrates the JSD along the line of the two means with SciPy."""

  def integrand(x):
    p, q = stats.norm.pdf(x), stats.norm.pdf(x, DISTANCE)
    middle = (p + q) / 2
    return 0.5 * float(p * np.log(p / middle) + q * np.log(q / middle))

  return integrate.quad(integrand, -12, 14, limit=200)[0]


CHECKS = (
  Check(
    "Bayes accuracy",
    _bayes,
    1e-6,
    "closed form: Phi(distance / 2), by scipy.stats.norm.cdf",
    wrong={"TV": lambda: 2 * _bayes() - 1},
  ),
  Check(
    f"training accuracy, n = {SIZES[0]}",
    1.0,
    1e-6,
    "the lecture: a few samples are separable",
    wrong={"Bayes": _bayes},
  ),
  Check(
    f"estimated JSD, n = {SIZES[0]}",
    math.log(2),
    0.01,
    "closed form: log 2 for separable samples",
    wrong={"of the distributions": _jsd},
  ),
  Check(
    f"held-out accuracy, n = {SIZES[0]}",
    _bayes,
    0.01,
    "no discriminator is better than the Bayes accuracy",
    relation="at most",
    wrong={"as on the training samples": 1.0},
  ),
  Check(
    f"training accuracy, n = {SIZES[-1]}",
    _bayes,
    0.02,
    "closed form: Phi(distance / 2)",
    wrong={"as of a few samples": 1.0},
  ),
  Check(
    f"estimated JSD, n = {SIZES[-1]}",
    _jsd,
    0.03,
    "scipy.integrate.quad; 0.33683",
    wrong={"as of a few samples": math.log(2)},
  ),
  Check(
    f"held-out accuracy, n = {SIZES[-1]}",
    _bayes,
    0.01,
    "closed form: Phi(distance / 2)",
    wrong={"as on a few samples": 1.0},
  ),
)

REPRODUCTION = Reproduction(
  id="few_samples_separable",
  source="Lee 2021, lecture 6-2, the problem of the JS divergence",
  summary="a few samples of two overlapping distributions are separable",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trains=True,
)
