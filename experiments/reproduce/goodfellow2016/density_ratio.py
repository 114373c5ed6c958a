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
The well fitted discriminator also estimates KL = E_p[logit].

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, section 3.2.1: what sets GANs apart is that they estimate a ratio by
supervised learning, which fails by overfitting and by underfitting. The
tutorial has no figure of it.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import optax
from flax import linen as nn
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import expected, pictures, training_loops
from experiments.reproduce.common.checks import at_least, at_most, covers
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import divergences, losses
from gan_jax.data import densities
from gan_jax.networks.mlp import MLP

DATA = (-1.5, 1.7), (0.7, 0.9), (0.4, 0.6)
"""Means, standard deviations and weights of the modes."""
GENERATOR = (0.0, 1.7)
NUM_SEEDS = 16
NUM_STEPS = 2_000
BATCH_SIZE, FEW = 256, 30
ENDS = (-6.0, 6.0)
"""Beyond these ends the mass of both densities is negligible."""
TITLES = {
  "well fitted": "well fitted: 2,000 steps on fresh samples",
  "underfitted": "underfitted: 30 steps",
  "overfitted": "overfitted: 2,000 steps on 30 + 30 samples",
}


def _log_p(x: Any) -> Any:
  return expected.log_mixture(x, *DATA)


def _log_q(x: Any) -> Any:
  return expected.log_normal(x, *GENERATOR)


def compute(inputs: Inputs) -> Computed:
  """Trains the discriminators of all seeds and integrates over their logits."""
  x, weights = map(np.asarray, divergences.gauss_legendre(*ENDS, 10, 60))
  p, q, ratio = np.exp(_log_p(x)), np.exp(_log_q(x)), _log_p(x) - _log_q(x)
  mass = weights * (p + q) / 2
  fresh = densities.normal_mixture(*DATA), densities.normal(*GENERATOR)
  keys = jax.random.split(jax.random.key(inputs.seed))
  few = [d.sample(key, FEW) for d, key in zip(fresh, keys, strict=True)]
  same = [
    d._replace(sample=lambda _, n, samples=samples: samples[:n])
    for d, samples in zip(fresh, few, strict=True)
  ]
  logits, error, size, cost = {}, {}, {}, {}
  for name, (real, fake), batch_size, num_steps in (
    ("well fitted", fresh, BATCH_SIZE, NUM_STEPS),
    ("underfitted", fresh, BATCH_SIZE, 30),
    ("overfitted", same, FEW, NUM_STEPS),
  ):
    trained = training_loops.train_critics(
      real,
      fake,
      MLP((32, 32), 1, activation=nn.swish),
      losses.non_saturating(),
      optax.adam(optax.cosine_decay_schedule(1e-2, NUM_STEPS)),
      num_steps,
      batch_size,
      range(inputs.seed, inputs.seed + NUM_SEEDS),
      x,
    )
    logits[name] = f = trained.values
    error[name] = np.sqrt((f - ratio) ** 2 @ mass)
    size[name] = np.sqrt(f**2 @ mass / (ratio**2 @ mass))
    cost[name] = np.logaddexp(0, -f) @ (weights * p)
    cost[name] += np.logaddexp(0, f) @ (weights * q)
  # The last training is that of the overfitted ones.
  training_cost = trained.metrics["discriminator_cost"][:, -1]
  least_cost = math.log(4) - 2 * expected.jensen_shannon(_log_p, _log_q, *ENDS)
  closed_form = "closed form: log p/q, root mean square over (p + q)/2"
  checks = [
    at_most(
      "error, well fitted", error["well fitted"], 0.3, closed_form, margin=0.05
    ),
    covers("size, well fitted", size["well fitted"], 1.0, 0.2, closed_form),
    covers(
      "cost on fresh samples, well fitted",
      cost["well fitted"],
      least_cost,
      0.015,
      "log 4 - 2 JSD(p, q), scipy.integrate.quad",
    ),
    covers(
      "KL from the logit",
      logits["well fitted"] @ (weights * p),
      expected.kl(_log_p, _log_q, *ENDS),
      0.03,
      "KL(p || q), scipy.integrate.quad",
    ),
    at_least(
      "error, underfitted",
      error["underfitted"],
      0.5,
      "above that of the well fitted one",
      margin=0.15,
    ),
    at_most(
      "size, underfitted",
      size["underfitted"],
      0.7,
      "less confident than log p/q, whose size is 1",
      margin=0.15,
    ),
    at_least(
      "cost on fresh samples, underfitted",
      cost["underfitted"],
      least_cost + 0.03,
      "above the minimum",
      margin=0.025,
    ),
    # The logarithms, because the numbers are of different magnitudes.
    at_least(
      "log10 of the error, overfitted",
      np.log10(error["overfitted"]),
      math.log10(5),
      "several times the error of logits near log p/q or 0",
      margin=0.4,
    ),
    at_least(
      "log10 of the size, overfitted",
      np.log10(size["overfitted"]),
      math.log10(5),
      "more confident than log p/q, whose size is 1",
      margin=0.4,
    ),
    at_least(
      "log10 of the cost on fresh samples, overfitted",
      np.log10(cost["overfitted"]),
      math.log10(2 * math.log(4)),
      "worse than the logit 0, whose cost is log 4",
      margin=0.3,
    ),
    at_most(
      "cost on training samples, overfitted",
      training_cost,
      1.1,
      "far below log 4 - 2 JSD(p, q), the minimum on fresh samples",
      margin=0.1,
    ),
  ]
  return Computed(
    checks,
    {
      "x": x,
      "ratio": ratio,
      "logits": logits,
      "few": np.asarray(few),
      "error": error,
      "size": size,
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws each discriminator's logit and log p/q."""
  figure, panels = curves.grid(3, 3, (12, 4.4), sharey=True)
  pictures.headline(
    figure, "the logit of D estimates log p(x)/q(x) as well as D is fitted"
  )
  x = drawn["x"]
  for axes, (name, title) in zip(panels, TITLES.items(), strict=True):
    axes.plot(
      x,
      drawn["logits"][name].T,
      color=curves.DISCRIMINATOR,
      linewidth=0.9,
      alpha=0.6,
      label=f"logit of D, {NUM_SEEDS} seeds",
    )
    axes.plot(x, drawn["ratio"], "--", color=curves.DATA, label="log p(x)/q(x)")
    axes.set(xlim=(-4.5, 4.5), ylim=(-6.8, 6.8), xlabel="x")
    axes.set_title(
      f"{title}\nerror {drawn['error'][name].mean():.2f} nats, "
      f"size {drawn['size'][name].mean():.2f} of log p/q",
      fontsize=10,
    )
  for samples, height, colour, label in zip(
    drawn["few"],
    (6.2, -6.2),
    (curves.DATA, curves.GENERATED),
    ("training data", "training samples of q"),
    strict=True,
  ):
    panels[2].plot(
      samples[:, 0],
      np.full(len(samples), height),
      "|",
      color=colour,
      markersize=9,
      label=label,
    )
  panels[0].set_ylabel("logit (nats)")
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="density_ratio",
  source="Goodfellow 2016, arXiv 1701.00160, section 3.2.1",
  summary="D's logit estimates log p/q, with a bias where it is fitted badly",
  compute=compute,
  draw=draw,
  trains=True,
)
