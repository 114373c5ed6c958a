"""A critic needs a bound on its slope, or its objective diverges.

W1(p, q) = sup over 1-Lipschitz D of E_p D - E_q D. Between two fixed
distributions, N(-0.5, 0.1^2) and N(0.5, 0.1^2), W1 is the distance 1 of their
means. One network is trained on E_p D - E_q D in three ways:

- unconstrained, where doubling the slope always doubles the objective;
- with its weights clipped to c = 0.01: two layers of w units have a slope of
  at most w^2 c^3, so the objective stays below w^2 c^3 W1, far from W1;
- with a gradient penalty. For two points at the distance W a critic of slope
  s costs -s W + weight (s - 1)^2, which is least at s = 1 + W / (2 weight).

Sources: notes of Hung-yi Lee, Machine Learning 2021, lecture 6-2 (in Chinese):
without the constraint the training of D does not converge. Arjovsky, Chintala
and Bottou, Wasserstein GAN, arXiv 1701.07875, section 3. Gulrajani et al.,
Improved Training of Wasserstein GANs, arXiv 1704.00028, section 4, for the
penalty, its weight of 10 and the decays of Adam, which are those of its toys.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, training_loops
from experiments.reproduce.common.checks import at_least, at_most, covers
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import losses, penalties
from gan_jax.data import densities
from gan_jax.networks.mlp import MLP

REAL, FAKE, STDDEV = -0.5, 0.5, 0.1
DISTANCE = FAKE - REAL
WIDTH, LIMIT, WEIGHT = 64, 0.01, 10.0
NUM_SEEDS = 8
STEPS = 1500
LATE = 100
"""Number of last steps averaged, because each has another minibatch."""
X = np.linspace(-1, 1, 401)
BETWEEN = (X >= REAL) & (X <= FAKE)
ADAM = optax.adam(1e-3, b1=0.5, b2=0.9)
WAYS = {
  "unconstrained": (ADAM, None, curves.GENERATED),
  "clipped": (
    optax.chain(ADAM, penalties.weight_clipping(LIMIT)),
    None,
    curves.AVERAGE,
  ),
  "penalised": (
    ADAM,
    penalties.gradient_penalty(WEIGHT),
    curves.DISCRIMINATOR,
  ),
}
"""Optimizer, penalty and colour of each way."""


def compute(inputs: Inputs) -> Computed:
  """Trains the critic in three ways."""
  objectives, slopes, last, growth = {}, {}, {}, {}
  for name, (optimizer, penalty, _) in WAYS.items():
    metrics, values, _ = training_loops.train_critics(
      densities.normal(REAL, STDDEV),
      densities.normal(FAKE, STDDEV),
      MLP((WIDTH, WIDTH), features=1),
      losses.wasserstein(),
      optimizer,
      num_steps=STEPS,
      batch_size=256,
      seeds=range(inputs.seed, inputs.seed + NUM_SEEDS),
      x=X,
      penalty=penalty,
    )
    objectives[name] = metrics["critic_real"] - metrics["critic_fake"]
    slopes[name] = np.abs(np.gradient(values.astype(float), X, axis=1))
    half, last[name] = (
      objectives[name][:, end - LATE : end].mean(axis=1)
      for end in (STEPS // 2, STEPS)
    )
    growth[name] = last[name] / half
  penalised = 1 + DISTANCE / (2 * WEIGHT)
  checks = [
    at_least(
      "unconstrained: log10 of the objective in W1",
      np.log10(last["unconstrained"] / DISTANCE),
      3.0,
      "it has no upper bound; 0 for a 1-Lipschitz critic",
      margin=0.5,
    ),
    at_least(
      "unconstrained: growth in the second half",
      growth["unconstrained"],
      4.0,
      "every weight keeps growing; 1 if it converged",
      margin=1.0,
    ),
    at_most(
      "clipped: largest objective of a seed",
      last["clipped"].max(),
      WIDTH**2 * LIMIT**3 * DISTANCE,
      "closed form: at most w^2 c^3 W1",
    ),
    covers(
      "clipped: growth in the second half",
      growth["clipped"],
      1.0,
      0.1,
      "it has converged",
    ),
    covers(
      "penalised: objective in W1",
      last["penalised"] / DISTANCE,
      penalised,
      0.04,
      "closed form: 1 + W1 / (2 weight) for two points",
    ),
    covers(
      "penalised: slope between the means",
      slopes["penalised"][:, BETWEEN].mean(axis=1),
      penalised,
      0.04,
      "closed form: 1 + W1 / (2 weight) for two points",
    ),
  ]
  return Computed(checks, {"objectives": objectives, "slopes": slopes})


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the objectives over the steps, and the slopes at the end."""
  figure, (axes, right) = curves.grid(2, 2, (11, 4.6))
  pictures.headline(
    figure,
    "the critic of two fixed distributions diverges unless its slope is "
    f"bounded ({NUM_SEEDS} seeds)",
  )
  for name, (_, _, color) in WAYS.items():
    for objective in drawn["objectives"][name]:
      # The objective of an untrained critic may be negative.
      positive = np.where(objective > 0, objective, np.nan)
      axes.plot(positive, color=color, lw=1, label=name)
    for slope in drawn["slopes"][name]:
      right.plot(X, slope, color=color, lw=1)
  axes.axhline(DISTANCE, color=curves.DATA, label="W1", **curves.REFERENCE)
  axes.set_yscale("log")
  axes.set_ylabel("E_p D - E_q D")
  axes.set_title("objective of the critic", fontsize=10)
  curves.step_axis(axes)
  right.axhline(1, color=curves.DATA, **curves.REFERENCE)
  for mean, color in ((REAL, curves.DATA), (FAKE, curves.GENERATED)):
    right.axvspan(
      mean - 2 * STDDEV, mean + 2 * STDDEV, color=color, alpha=0.15, lw=0
    )
  right.set_yscale("log")
  right.set(xlabel="x", ylabel="|dD/dx|", xlim=(X[0], X[-1]))
  right.set_title(
    "slope of the trained critic; shaded: real (left), fake (right)",
    fontsize=10,
  )
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="lipschitz_needed",
  source="Lee 2021, lecture 6-2, and WGAN-GP 2017, arXiv 1704.00028, section 4",
  summary="a critic's objective diverges unless its slope is bounded",
  compute=compute,
  draw=draw,
  trains=True,
)
