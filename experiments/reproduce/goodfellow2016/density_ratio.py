"""The discriminator's logit estimates the log density ratio.

The best discriminator has the logit log p(x)/q(x). Here p is a mixture of two
normals, and q, a fixed generator, is one wide normal. Three discriminators are
trained on the same cost:

  well fitted   fresh samples at every one of 2,000 steps
  underfitted   the same training, stopped after 30 steps
  overfitted    the same network, 2,000 steps on the same 30 + 30 samples.

They are compared with log p/q over x ~ (p + q)/2. The error is the root mean
square difference. The size is the root mean square logit relative to that of
log p/q: below 1 if a discriminator is underconfident, above 1 if it is
overconfident. The cost on fresh samples has the minimum log 4 - 2 JSD(p, q).
Two divergences are estimated with the well fitted discriminator: KL =
E_p[logit], and JSD from its cost. All numbers are means over four seeds.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, section 3.2.1: what sets GANs apart is that they estimate a ratio by
supervised learning, which fails by overfitting and by underfitting. The
tutorial has no figure of it.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from matplotlib.figure import Figure
from scipy import integrate

from experiments.plots import curves
from experiments.reproduce.common import pictures, training_loops
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.run_folder.results import Results
from gan_jax import divergences, games, losses, steps
from gan_jax.data import densities
from gan_jax.networks.affine import Affine
from gan_jax.networks.mlp import MLP
from gan_jax.types import Array, Players

MEANS, STDDEVS, WEIGHTS = (-1.5, 1.7), (0.7, 0.9), (0.4, 0.6)
GENERATOR = (0.0, 1.7)
NUM_SEEDS = 4
NUM_FRESH = 50_000
NUM_STEPS = 2_000
LEARNING_RATE = 1e-2
ENDS = (-6.0, 6.0)
"""Beyond these ends the mass of both densities is negligible."""


class Fit(NamedTuple):
  """How a discriminator is trained."""

  batch_size: int
  same_samples: bool
  num_steps: int


FITS = {
  "well fitted": Fit(256, same_samples=False, num_steps=NUM_STEPS),
  "underfitted": Fit(256, same_samples=False, num_steps=30),
  "overfitted": Fit(30, same_samples=True, num_steps=NUM_STEPS),
}


def _train(
  batch_size: int, same_samples: bool, num_steps: int | Array, seed: Array
) -> tuple[Callable[[Array], Array], Array, Array]:
  """Trains a discriminator against a fixed generator.

  Args:
    batch_size: number of real samples in a minibatch, and of generated ones.
    same_samples: whether every minibatch is the same.
    num_steps: steps to take; the learning rate decays over NUM_STEPS.
    seed: scalar.

  Returns:
    The logit, x [n, 1] -> [n], and samples of the data and of the generator,
    [batch_size, 1]: the training samples if `same_samples`.
  """
  init_key, data_key, latents_key, train_key = jax.random.split(
    jax.random.key(seed), 4
  )
  data = densities.normal_mixture(MEANS, STDDEVS, WEIGHTS)
  few_real = data.sample(data_key, batch_size)
  few_latents = jax.random.normal(latents_key, (batch_size, 1))

  def latents(key, n):
    if same_samples:
      return few_latents[:n]
    return jax.random.normal(key, (n, 1))

  game = games.adversarial(
    Affine(),
    MLP((32, 32), 1, activation=nn.swish),
    losses.non_saturating(),
    latents,
  )
  optimizers = Players(
    optax.set_to_zero(),
    optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, NUM_STEPS)),
  )
  state = steps.init_state(game, optimizers, init_key)
  mean, stddev = (jnp.asarray([value]) for value in GENERATOR)
  state = state.replace(
    params=state.params._replace(generator={"mean": mean, "stddev": stddev})
  )
  state = training_loops.train_on_fresh_batches(
    steps.simultaneous(game, optimizers),
    state,
    lambda key: few_real if same_samples else data.sample(key, batch_size),
    num_steps,
    train_key,
  )
  assert game.discriminate is not None
  logit = functools.partial(game.discriminate, state.params, state.variables)
  return logit, few_real, few_latents * stddev + mean


def _measure(
  batch_size: int, same_samples: bool, num_steps: int | Array, seed: Array
) -> dict[str, Array]:
  """Trains a discriminator and compares its logit with log p/q."""
  logit, few_real, few_fake = _train(batch_size, same_samples, num_steps, seed)
  data = densities.normal_mixture(MEANS, STDDEVS, WEIGHTS)
  generated = densities.normal(*GENERATOR)
  x, weights = divergences.gauss_legendre(*ENDS, 10, 60)
  log_p, log_q = (d.log_prob(x[:, None]) for d in (data, generated))
  p, q, ratio = jnp.exp(log_p), jnp.exp(log_q), log_p - log_q
  logits = logit(x[:, None])
  mass = weights * (p + q) / 2
  cost = losses.non_saturating().discriminator
  at_p, at_q = (
    logit(d.sample(jax.random.fold_in(jax.random.key(seed), index), NUM_FRESH))
    for index, d in enumerate((data, generated))
  )
  return {
    "x": x,
    "ratio": ratio,
    "logits": logits,
    "few_real": few_real,
    "few_fake": few_fake,
    "error": jnp.sqrt(jnp.sum(mass * (logits - ratio) ** 2)),
    "size": jnp.sqrt(jnp.sum(mass * logits**2) / jnp.sum(mass * ratio**2)),
    "cost on fresh samples": cost(at_p, at_q),
    "cost on training samples": cost(logit(few_real), logit(few_fake)),
    "KL": divergences.kl_from_log_ratios(at_p),
    "JSD": divergences.jensen_shannon_from_log_ratios(at_p, at_q),
  }


def compute(runs: Mapping[str, Results]) -> Computed:
  """Trains the discriminators of all seeds."""
  seeds = jnp.arange(NUM_SEEDS)
  # One compiled program serves all numbers of steps.
  measure = jax.jit(
    jax.vmap(_measure, (None, None, None, 0)), static_argnums=(0, 1)
  )
  fits = {
    name: jax.tree.map(np.asarray, measure(*fit, seeds))
    for name, fit in FITS.items()
  }
  measured = {
    f"{what}, {name}": fits[name][what].mean()
    for name in FITS
    for what in ("error", "size", "cost on fresh samples")
  }
  measured |= {
    "cost on training samples, overfitted": fits["overfitted"][
      "cost on training samples"
    ].mean(),
    "KL read off the logit": fits["well fitted"]["KL"].mean(),
    "JSD read off the logit": fits["well fitted"]["JSD"].mean(),
  }
  return Computed(measured, {"fits": fits})


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws each discriminator's logit and log p/q."""
  figure, panels = curves.grid(3, 3, (12, 4.4), sharey=True)
  pictures.headline(
    figure, "the logit of D estimates log p(x)/q(x) as well as D is fitted"
  )
  titles = {
    "well fitted": "well fitted: 2,000 steps on fresh samples",
    "underfitted": "underfitted: 30 steps",
    "overfitted": "overfitted: 2,000 steps on 30 + 30 samples",
  }
  for axes, (name, title) in zip(panels, titles.items(), strict=True):
    fit = drawn["fits"][name]
    x = fit["x"][0]
    for seed, logits in enumerate(fit["logits"]):
      axes.plot(
        x,
        logits,
        color=curves.DISCRIMINATOR,
        linewidth=1.8 if seed == 0 else 0.9,
        alpha=1 if seed == 0 else 0.5,
        label="logit of D, four seeds",
      )
    axes.plot(
      x, fit["ratio"][0], "--", color=curves.DATA, label="log p(x)/q(x)"
    )
    if name == "overfitted":
      for samples, height, colour, label in (
        (fit["few_real"][0], 6.2, curves.DATA, "training data, seed 0"),
        (fit["few_fake"][0], -6.2, curves.GENERATED, "training samples of q"),
      ):
        axes.plot(
          samples[:, 0],
          np.full(len(samples), height),
          "|",
          color=colour,
          markersize=9,
          label=label,
        )
    axes.set(xlim=(-4.5, 4.5), ylim=(-6.8, 6.8), xlabel="x")
    axes.set_title(
      f"{title}\nerror {fit['error'].mean():.2f} nats, "
      f"size {fit['size'].mean():.2f} of log p/q",
      fontsize=10,
    )
  panels[0].set_ylabel("logit (nats)")
  return curves.legend(figure)


def _densities(x: float) -> tuple[float, float]:
  """Computes p(x) and q(x)."""

  def normal(mean, stddev):
    scaled = (x - mean) / stddev
    return math.exp(-0.5 * scaled**2) / (stddev * math.sqrt(2 * math.pi))

  modes = zip(MEANS, STDDEVS, WEIGHTS, strict=True)
  p = sum(weight * normal(mean, stddev) for mean, stddev, weight in modes)
  return p, normal(*GENERATOR)


def _integral(integrand: Callable[[float, float], float]) -> float:
  """Integrates a function of p(x) and q(x) over x."""
  return integrate.quad(
    lambda x: integrand(*_densities(x)), *ENDS, epsabs=1e-10, limit=200
  )[0]


def _kl() -> float:
  return _integral(lambda p, q: p * math.log(p / q))


def _jsd() -> float:
  return 0.5 * _integral(
    lambda p, q: p * math.log(2 * p / (p + q)) + q * math.log(2 * q / (p + q))
  )


def _least_cost() -> float:
  return math.log(4) - 2 * _jsd()


def _error_of_nothing() -> float:
  """Computes the error of the logit 0, the root mean square of log p/q."""
  return math.sqrt(_integral(lambda p, q: (p + q) / 2 * math.log(p / q) ** 2))


CHECKS = (
  Check(
    "error, well fitted",
    0.0,
    0.3,
    "closed form: log p/q, root mean square over (p + q)/2",
    wrong={"the logit 0": _error_of_nothing, "underfitted": 0.5},
  ),
  Check(
    "size, well fitted",
    1.0,
    0.2,
    "closed form: log p/q, root mean square over (p + q)/2",
  ),
  Check(
    "cost on fresh samples, well fitted",
    _least_cost,
    0.015,
    "log 4 - 2 JSD(p, q), scipy.integrate.quad",
    wrong={"of the logit 0": math.log(4)},
  ),
  Check(
    "KL read off the logit",
    _kl,
    0.03,
    "KL(p || q), scipy.integrate.quad",
    wrong={"JSD": _jsd},
  ),
  Check(
    "JSD read off the logit",
    _jsd,
    0.01,
    "JSD(p, q), scipy.integrate.quad",
    wrong={"the value of the game": lambda: math.log(4) - _least_cost()},
  ),
  Check(
    "error, underfitted",
    0.4,
    0.0,
    "above the tolerance of the well fitted one",
    relation="at least",
    wrong={"well fitted": 0.2},
  ),
  Check(
    "size, underfitted",
    0.8,
    0.0,
    "less confident than log p/q, whose size is 1",
    relation="at most",
    wrong={"right": 1.0},
  ),
  Check(
    "cost on fresh samples, underfitted",
    lambda: _least_cost() + 0.015,
    0.0,
    "above the minimum by more than the tolerance of the well fitted one",
    relation="at least",
    wrong={"the minimum": _least_cost},
  ),
  Check(
    "error, overfitted",
    2.0,
    0.0,
    "several times the error of logits near log p/q or 0",
    relation="at least",
    wrong={"well fitted": 0.2, "the logit 0": _error_of_nothing},
  ),
  Check(
    "size, overfitted",
    2.0,
    0.0,
    "more confident than log p/q, whose size is 1",
    relation="at least",
    wrong={"right": 1.0},
  ),
  Check(
    "cost on fresh samples, overfitted",
    math.log(4),
    0.0,
    "worse than the logit 0, whose cost is log 4",
    relation="at least",
    wrong={"the minimum": _least_cost},
  ),
  Check(
    "cost on training samples, overfitted",
    1.0,
    0.0,
    "far below log 4 - 2 JSD(p, q), the minimum on fresh samples",
    relation="at most",
    wrong={"that minimum": _least_cost, "the logit 0": math.log(4)},
  ),
)

REPRODUCTION = Reproduction(
  id="density_ratio",
  source="Goodfellow 2016, arXiv 1701.00160, section 3.2.1",
  summary="D's logit estimates log p/q, with a bias where it is fitted badly",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trains=True,
)
