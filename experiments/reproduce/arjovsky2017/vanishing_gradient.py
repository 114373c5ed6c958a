"""The better the discriminator, the smaller the minimax gradient of G.

The generator x = 0.5 z + 2, of samples N(2, 0.5^2), is fixed, and the data is
N(-2, 0.5^2). A discriminator is trained from scratch to tell them apart. In the
generator's mean and deviation, the gradient of a cost c of the logit l(x) is

  (E c'(l(x)) l'(x),  E c'(l(x)) l'(x) z),

with c' = -D for the minimax cost E log(1 - D) and c' = -(1 - D) for the
non-saturating cost -E log D. The best discriminator has l = log p/q, whose
slope is -16 everywhere. Its D at generated samples is close to 0, so that the
norm of the minimax gradient is 0.003; that of the non-saturating one is 16.

With instance noise of deviation 1.5 on both sides the two distributions
overlap. The best discriminator then has the slope -1.6, and the minimax
gradient does not vanish.

A network starts with slopes of about 1. As it is trained, the gradient of the
minimax cost falls to that of the best discriminator, by nearly two orders of
magnitude, and that of the non-saturating cost grows forty times. All
expectations over z and the noise are integrals, so that neither is due to a
finite minibatch. The deviation of one sample's gradient grows much less, since
the best slope is the same everywhere. The bounds of the checks were set before
the first run.

Source: Arjovsky and Bottou, Towards Principled Methods for Training Generative
Adversarial Networks, arXiv 1701.04862. Its figure 2 fixes a DCGAN after 1, 10
and 25 epochs, and shows the norm of the minimax gradient as a discriminator is
trained from scratch; the paper shows the same of the cost -log D, and proposes
the noise.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import special

from experiments.plots import curves
from experiments.reproduce.common import expected, pictures, training_loops
from experiments.reproduce.common.checks import (
  at_least,
  at_most,
  close,
  covers,
)
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import augmentations, divergences, games, losses, statistics, steps
from gan_jax.data import densities, latents
from gan_jax.losses import AdversarialLoss
from gan_jax.networks.affine import Affine
from gan_jax.networks.mlp import MLP
from gan_jax.types import Array, Players

REAL, FAKE, STDDEV = -2.0, 2.0, 0.5
NOISES = {"without noise": 0.0, "with instance noise": 1.5}
LOSSES = {"minimax": losses.minimax, "-log D": losses.non_saturating}
NUM_SEEDS = 16
BATCH_SIZE = 256
MEASURED_AT = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
"""Steps of the discriminator."""


class Slope(NamedTuple):
  """The gradient of a generator's cost.

  Attributes:
    gradient: [2], in the mean and in the standard deviation.
    deviation: [], the standard deviation of one sample's gradient in the mean.
  """

  gradient: Array
  deviation: Array


def measure_slope(
  discriminate: Callable[[Array], Array], loss: AdversarialLoss, noise: float
) -> Slope:
  """Integrates the gradient of the generator's cost over latents and noise.

  Args:
    discriminate: [k, 1] -> [k], the logits.
    loss: its generator's cost at a sample must not depend on other samples.
    noise: the standard deviation of the instance noise.
  """
  z, mass = divergences.gauss_legendre(-6.0, 6.0, 8, 12)
  mass *= jnp.exp(densities.normal(0.0, 1.0).log_prob(z[:, None]))
  zs, weights, shifts = z, mass, 0.0
  if noise:
    zs, shifts = (a.ravel() for a in jnp.meshgrid(z, noise * z, indexing="ij"))
    weights = jnp.outer(mass, mass).ravel()

  def cost(x):
    logits = discriminate(x[None, None])
    return loss.generator(jnp.zeros(1), logits)

  slopes = jax.vmap(jax.grad(cost))(FAKE + STDDEV * zs + shifts)
  mean = jnp.sum(weights * slopes)
  return Slope(
    jnp.stack([mean, jnp.sum(weights * slopes * zs)]),
    jnp.sqrt(jnp.sum(weights * (slopes - mean) ** 2)),
  )


def log_ratio(noise: float) -> Callable[[Array], Array]:
  """Returns the logits of the best discriminator of noisy samples."""
  stddev = float(np.hypot(STDDEV, noise))
  real, fake = (densities.normal(mean, stddev) for mean in (REAL, FAKE))
  return lambda x: real.log_prob(x) - fake.log_prob(x)


def best_norm(loss: str, noise: float) -> float:
  """Computes the norm of the gradient at the best discriminator by SciPy.

  Of a noisy sample x the expected latent is 0.5 (x - 2) / s^2, where s is the
  standard deviation of x.
  """
  stddev = float(np.hypot(STDDEV, noise))
  slope = (REAL - FAKE) / stddev**2

  def in_mean(x):
    logit = slope * (x - (REAL + FAKE) / 2)
    weight = special.expit(logit if loss == "minimax" else -logit)
    density = np.exp(expected.log_normal(x, FAKE, stddev))
    return -density * weight * slope

  return float(
    np.hypot(
      expected.integral(in_mean),
      expected.integral(lambda x: in_mean(x) * STDDEV * (x - FAKE) / stddev**2),
    )
  )


def train(noise: float, seeds: range) -> dict[str, dict[str, np.ndarray]]:
  """Trains a discriminator for each seed, and measures both costs.

  Returns:
    By loss: "norm" of the gradient and "deviation" of one sample's, each
    [seeds, len(MEASURED_AT)].
  """
  game = games.adversarial(
    Affine(),
    MLP((32, 32), 1),
    losses.minimax(),
    latents.normal(1),
    augment=augmentations.instance_noise(noise) if noise else None,
  )
  optimizers = Players(optax.set_to_zero(), optax.adam(3e-3))
  step = steps.simultaneous(game, optimizers)
  real = densities.normal(REAL, STDDEV)
  discriminate = game.discriminate
  assert discriminate is not None

  def train_one(seed):
    init_key, train_key = jax.random.split(jax.random.key(seed))
    state = steps.init_state(game, optimizers, init_key)
    fixed = {"mean": jnp.full(1, FAKE), "stddev": jnp.full(1, STDDEV)}
    state = state.replace(params=state.params._replace(generator=fixed))

    def advance(state, part):
      index, num_steps = part
      state = training_loops.train_on_fresh_batches(
        step,
        state,
        lambda key: real.sample(key, BATCH_SIZE),
        num_steps,
        jax.random.fold_in(train_key, index),
      )
      slopes = {
        name: measure_slope(
          lambda x: discriminate(state.params, state.variables, x),
          make_loss(),
          noise,
        )
        for name, make_loss in LOSSES.items()
      }
      return state, {
        name: {
          "norm": jnp.linalg.norm(slope.gradient),
          "deviation": slope.deviation,
        }
        for name, slope in slopes.items()
      }

    lengths = jnp.diff(jnp.array((0, *MEASURED_AT)))
    return jax.lax.scan(advance, state, (jnp.arange(len(lengths)), lengths))[1]

  measured = jax.jit(lambda seeds: jax.lax.map(train_one, seeds))(
    jnp.asarray(seeds, jnp.uint32)
  )
  return jax.tree.map(np.asarray, measured)


def compute(inputs: Inputs) -> Computed:
  """Trains discriminators with and without noise, and checks the gradients."""
  seeds = range(inputs.seed, inputs.seed + NUM_SEEDS)
  trained = {name: train(noise, seeds) for name, noise in NOISES.items()}
  best = {
    name: {loss: best_norm(loss, noise) for loss in LOSSES}
    for name, noise in NOISES.items()
  }
  plain, noisy = NOISES
  checks = []
  for name, noise in NOISES.items():
    for loss, make_loss in LOSSES.items():
      slope = measure_slope(log_ratio(noise), make_loss(), noise)
      checks.append(
        close(
          f"{loss}, {name}: norm of the gradient at D*",
          np.linalg.norm(slope.gradient),
          best[name][loss],
          2e-3 * best[name][loss],
          "closed form of D*, scipy.integrate.quad",
        )
      )

  def growth(name, loss, what):
    values = np.log10(trained[name][loss][what])
    return values[:, -1] - values[:, 0]

  checks += [
    at_most(
      f"minimax, {plain}: log10 of the gradient, trained over untrained D",
      growth(plain, "minimax", "norm"),
      -2.0,
      "falls by orders of magnitude, figure 2",
      margin=0.5,
    ),
    at_least(
      f"minimax, {noisy}: log10 of the gradient, trained over untrained D",
      growth(noisy, "minimax", "norm"),
      -1.0,
      "noise keeps the gradient",
      margin=0.5,
    ),
    covers(
      f"minimax, {noisy}: norm of the gradient, trained D",
      trained[noisy]["minimax"]["norm"][:, -1],
      best[noisy]["minimax"],
      0.1 * best[noisy]["minimax"],
      "closed form of D*, scipy.integrate.quad",
    ),
    at_least(
      f"-log D, {plain}: log10 of the gradient, trained over untrained D",
      growth(plain, "-log D", "norm"),
      0.5,
      "grows as D is trained",
      margin=0.5,
    ),
    at_least(
      f"-log D, {plain}: log10 of the deviation of one sample's gradient, "
      "trained over untrained D",
      growth(plain, "-log D", "deviation"),
      0.3,
      "the variance grows too",
      margin=0.5,
    ),
  ]
  return Computed(checks, {"trained": trained, "best": best})


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws both costs' gradients over the discriminator's steps."""
  figure, panels = curves.grid(3, 3, (12, 4.4))
  pictures.headline(
    figure,
    "G is fixed and D is trained from scratch: the minimax gradient of G "
    "vanishes, that of -log D grows, and instance noise keeps both\n"
    f"mean of the logarithm over {NUM_SEEDS} seeds, and 95 % interval",
  )
  styles = zip(NOISES, (curves.GENERATED, curves.DISCRIMINATOR), strict=True)
  for name, color in styles:
    for axes, (loss, what) in zip(
      panels,
      (("minimax", "norm"), ("-log D", "norm"), ("-log D", "deviation")),
      strict=True,
    ):
      _draw_band(axes, drawn["trained"][name][loss][what], color, name)
      if what == "norm":
        axes.axhline(
          drawn["best"][name][loss],
          color=color,
          label=f"{name}: D*",
          **curves.REFERENCE,
        )
  for axes, title, label in zip(
    panels,
    ("minimax cost, log(1 - D)", "cost -log D", "cost -log D, of one sample"),
    ("norm of the gradient", "norm of the gradient", "standard deviation"),
    strict=True,
  ):
    axes.set_xscale("symlog", linthresh=1)
    axes.set_yscale("log")
    axes.set(xlabel="step of D", ylabel=label, xlim=(0, MEASURED_AT[-1]))
    axes.set_title(title, fontsize=10)
  return curves.legend(figure)


def _draw_band(axes: Axes, values: np.ndarray, color: str, label: str) -> None:
  """Draws the geometric mean of values [seeds, steps] and its interval."""
  logs = np.log10(values).T
  mean = logs.mean(axis=1)
  half = [statistics.mean_and_interval(each).ci95 or 0.0 for each in logs]
  axes.plot(MEASURED_AT, 10**mean, color=color, label=label)
  axes.fill_between(
    MEASURED_AT,
    10 ** (mean - half),
    10 ** (mean + half),
    color=color,
    alpha=0.2,
    lw=0,
  )


REPRODUCTION = Reproduction(
  id="arjovsky2017_vanishing",
  source="Arjovsky and Bottou 2017, arXiv 1701.04862, figure 2",
  summary="a good D leaves the minimax cost of G without a gradient",
  minutes=1,
  compute=compute,
  draw=draw,
  trains=True,
)
