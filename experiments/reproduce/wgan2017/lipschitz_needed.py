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
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.run_folder.results import Results
from gan_jax import losses, penalties
from gan_jax.data import densities
from gan_jax.networks.mlp import MLP

REAL, FAKE, STDDEV = -0.5, 0.5, 0.1
DISTANCE = FAKE - REAL
WIDTH, LIMIT, WEIGHT = 64, 0.01, 10.0
NETWORK = MLP((WIDTH, WIDTH), features=1)
SEEDS = range(4)
STEPS = 1500
LATE = 100
"""Number of last steps averaged, because each has another minibatch."""
X = np.linspace(-1, 1, 401)
BETWEEN = (X >= REAL) & (X <= FAKE)
ADAM = optax.adam(1e-3, b1=0.5, b2=0.9)
WAYS = {
  "unconstrained": (ADAM, None),
  "clipped": (optax.chain(ADAM, penalties.weight_clipping(LIMIT)), None),
  "penalised": (ADAM, penalties.gradient_penalty(WEIGHT)),
}


def compute(runs: Mapping[str, Results]) -> Computed:
  """Trains the critic in three ways."""
  objectives, slopes = {}, {}
  for name, (optimizer, penalty) in WAYS.items():
    trained = training_loops.train_critics(
      densities.normal(REAL, STDDEV),
      densities.normal(FAKE, STDDEV),
      NETWORK,
      losses.wasserstein(),
      optimizer,
      num_steps=STEPS,
      batch_size=256,
      seeds=SEEDS,
      x=X,
      penalty=penalty,
    )
    critic = trained.metrics
    objectives[name] = critic["critic_real"] - critic["critic_fake"]
    slopes[name] = np.abs(np.gradient(trained.values.astype(float), X, axis=1))
  last = {name: rows[:, -LATE:].mean(1) for name, rows in objectives.items()}
  growth = {
    name: last[name] / rows[:, STEPS // 2 - LATE : STEPS // 2].mean(1)
    for name, rows in objectives.items()
  }
  return Computed(
    {
      "unconstrained: least objective, in W1": (
        last["unconstrained"].min() / DISTANCE
      ),
      "unconstrained: least growth in the second half": (
        growth["unconstrained"].min()
      ),
      "clipped: largest objective": last["clipped"].max(),
      "clipped: growth in the second half": growth["clipped"].mean(),
      "penalised: objective": last["penalised"].mean(),
      "penalised: largest error of a seed's objective": np.max(
        np.abs(last["penalised"] / DISTANCE - 1)
      ),
      "penalised: slope between the means": (
        slopes["penalised"][:, BETWEEN].mean()
      ),
    },
    {"objectives": objectives, "slopes": slopes},
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the objectives over the steps, and the slopes at the end."""
  figure, (axes, right) = curves.grid(2, 2, (11, 4.6))
  pictures.headline(
    figure,
    "the critic of two fixed distributions diverges unless its slope is "
    f"bounded ({len(SEEDS)} seeds)",
  )
  colors = (curves.GENERATED, curves.AVERAGE, curves.DISCRIMINATOR)
  for name, color in zip(WAYS, colors, strict=True):
    for objective in drawn["objectives"][name]:
      # The objective of an untrained critic may be negative.
      axes.plot(
        np.where(objective > 0, objective, np.nan),
        color=color,
        lw=1,
        label=name,
      )
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


_STEEPEST = WIDTH**2 * LIMIT**3
_PENALISED = 1 + DISTANCE / (2 * WEIGHT)

CHECKS = (
  Check(
    "unconstrained: least objective, in W1",
    100.0,
    0.0,
    "it has no upper bound; all seeds",
    relation="at least",
    wrong={"1-Lipschitz": 1.0, "penalised": _PENALISED, "clipped": _STEEPEST},
  ),
  Check(
    "unconstrained: least growth in the second half",
    2.0,
    0.0,
    "every weight keeps growing; all seeds",
    relation="at least",
    wrong={"converged": 1.0, "shrinks": 0.5},
  ),
  Check(
    "clipped: largest objective",
    _STEEPEST * DISTANCE,
    0.0,
    "closed form: at most w^2 c^3 W1; all seeds",
    relation="at most",
    wrong={"unclipped": 100.0, "1-Lipschitz": DISTANCE},
  ),
  Check(
    "clipped: growth in the second half",
    1.0,
    0.1,
    "it has converged; mean of seeds",
  ),
  Check(
    "penalised: objective",
    DISTANCE * _PENALISED,
    0.04,
    "closed form: W1 (1 + W1 / (2 weight)) for two points; mean of seeds",
    wrong={
      "W1, as of an infinite weight": DISTANCE,
      "weight of 1": 1.5 * DISTANCE,
      "clipped": _STEEPEST,
    },
  ),
  Check(
    "penalised: largest error of a seed's objective",
    0.15,
    0.0,
    "closed form: W1, the distance of the means",
    relation="at most",
    wrong={"clipped": 1.0, "a slope of 2": 1.0, "weight of 1": 0.5},
  ),
  Check(
    "penalised: slope between the means",
    _PENALISED,
    0.04,
    "closed form: 1 + W1 / (2 weight) for two points; mean of seeds",
    wrong={"of an infinite weight": 1.0, "weight of 1": 1.5},
  ),
)

REPRODUCTION = Reproduction(
  id="lipschitz_needed",
  source="lecture 2021, WGAN; WGAN-GP 2017, arXiv 1704.00028, section 4",
  summary="a critic's objective diverges unless its slope is bounded",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trains=True,
)
