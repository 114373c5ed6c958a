"""An optimal discriminator saturates, a clipped WGAN critic does not.

Real data N(-2, 1) and fake samples N(2, 1) are fixed. The optimal discriminator
is

  D*(x) = p / (p + q) = sigmoid(-gap x),  D*' = -gap D* (1 - D*),

which is flat at the fake samples. A WGAN critic whose weights are clipped to
+-0.01 is a line everywhere: with such small weights and biases tanh(h) = h, and
the steepest critic of two layers of w units has all weights at the limit c, so
its slope is -w^2 c^3.

Source: Arjovsky, Chintala and Bottou, Wasserstein GAN, arXiv 1701.07875, figure
2, which does not state its normals and networks. RMSProp at 5e-5 and the limit
0.01 are those of its algorithm 1; a single critic needs no ratio of steps to a
generator's. Networks here have 64-64 tanh units. A clipped critic with
rectified units is no line: its kinks, at -b/w, lie among the data, and R^2 is
0.986-0.990. The discriminator uses Adam at 0.01 with cosine decay, so that it
is optimal after 1,000 steps.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import optax
from flax import linen as nn
from matplotlib.figure import Figure
from scipy import special, stats

from experiments.plots import curves
from experiments.reproduce.common import pictures, training_loops
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.run_folder.results import Results
from gan_jax import losses, penalties
from gan_jax.data import densities
from gan_jax.networks.mlp import MLP

REAL, FAKE, STDDEV = -2.0, 2.0, 1.0
GAP = FAKE - REAL
WIDTH, LIMIT = 64, 0.01
NETWORK = MLP((WIDTH, WIDTH), features=1, activation=nn.tanh)
SEEDS = range(4)
X = np.linspace(-6, 6, 601)
BETWEEN = (X >= REAL) & (X <= FAKE)
MIDDLE, AT_FAKE = np.argmin(np.abs(X)), np.argmin(np.abs(X - FAKE))
P, Q = stats.norm.pdf(X, REAL, STDDEV), stats.norm.pdf(X, FAKE, STDDEV)
WITH_DATA = P + Q > 0.01


def _optimal(x: Any) -> Any:
  """Computes D* = p / (p + q)."""
  return special.expit(-GAP * x / STDDEV**2)


def _optimal_steepness(x: float) -> float:
  """Computes |D*'|."""
  return GAP / STDDEV**2 * float(_optimal(x) * (1 - _optimal(x)))


def _straightness(values: np.ndarray) -> float:
  """Computes R^2 of a line through values [601] between the two means."""
  return float(np.corrcoef(X[BETWEEN], values[BETWEEN])[0, 1] ** 2)


def compute(runs: Mapping[str, Results]) -> Computed:
  """Trains discriminators and critics, and measures their slopes."""
  real, fake = densities.normal(REAL, STDDEV), densities.normal(FAKE, STDDEV)
  logits = training_loops.train_critics(
    real,
    fake,
    NETWORK,
    losses.minimax(),
    optax.adam(optax.cosine_decay_schedule(0.01, 1000)),
    num_steps=1000,
    batch_size=512,
    seeds=SEEDS,
    x=X,
  ).values
  discriminators = special.expit(logits.astype(float))
  trained = training_loops.train_critics(
    real,
    fake,
    NETWORK,
    losses.wasserstein(),
    optax.chain(
      optax.rmsprop(5e-5, decay=0.99), penalties.weight_clipping(LIMIT)
    ),
    num_steps=1500,
    batch_size=256,
    seeds=SEEDS,
    x=X,
  ).values.astype(float)
  steepness = np.abs(np.gradient(discriminators, X, axis=1))
  slopes = np.gradient(trained, X, axis=1)
  error = np.abs(discriminators - _optimal(X))
  return Computed(
    {
      "GAN: largest |D - D*| where there is data": error[:, WITH_DATA].max(),
      "GAN: |D'| in the middle": steepness[:, MIDDLE].mean(),
      "GAN: |D'| at the fake mean": steepness[:, AT_FAKE].mean(),
      "GAN: largest |D'| beyond the fake mean": steepness[:, AT_FAKE:].max(),
      "WGAN: least R^2 of a line between the means": min(
        map(_straightness, trained)
      ),
      "WGAN: slope in the middle": slopes[:, MIDDLE].mean(),
      "WGAN: slope at the fake mean": slopes[:, AT_FAKE].mean(),
      "WGAN: slope of the seed nearest to a wrong sign": slopes.max(),
    },
    {
      "discriminators": discriminators,
      "critics": trained,
      "steepness": {"GAN": steepness, "WGAN": np.abs(slopes)},
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the discriminators, the critics and the slopes of both."""
  figure, panels = curves.grid(3, 3, (12, 4))
  pictures.headline(
    figure,
    "two fixed distributions: a GAN's discriminator saturates, a clipped "
    f"WGAN critic does not ({len(SEEDS)} seeds)",
  )
  for axes in panels[:2]:
    for density, color, name in (
      (P, curves.DATA, "real"),
      (Q, curves.GENERATED, "fake"),
    ):
      axes.fill_between(
        X, density, color=color, alpha=0.25, lw=0, label=f"density, {name}"
      )
    axes.set(xlabel="x", xlim=(X[0], X[-1]))
  axes, right, steepness = panels[0], panels[1].twinx(), panels[2]
  for values in drawn["discriminators"]:
    axes.plot(X, values, color=curves.DISCRIMINATOR, label="GAN's D, a seed")
  axes.plot(
    X,
    _optimal(X),
    color=curves.DATA,
    label="D* = p / (p + q)",
    **curves.REFERENCE,
  )
  axes.set_title("the discriminator, trained to the optimum", fontsize=10)
  axes.set_ylabel("probability, or density")
  for values in drawn["critics"]:
    right.plot(
      X, values - values[MIDDLE], color=curves.AVERAGE, label="critic, a seed"
    )
  right.spines[["left", "top", "bottom"]].set_visible(False)
  right.set_ylabel("critic, less its value at 0")
  panels[1].set_title(f"the critic, clipped to +-{LIMIT}", fontsize=10)
  panels[1].set_ylabel("density")
  for name, color in (("GAN", curves.DISCRIMINATOR), ("WGAN", curves.AVERAGE)):
    for values in drawn["steepness"][name]:
      steepness.plot(X, values / values[MIDDLE], color=color)
  steepness.plot(
    X,
    _optimal(X) * _optimal(-X) / 0.25,
    color=curves.DATA,
    **curves.REFERENCE,
  )
  steepness.axvspan(
    FAKE - STDDEV, FAKE + STDDEV, color=curves.GENERATED, alpha=0.15, lw=0
  )
  steepness.set_yscale("log")
  steepness.set(xlabel="x", xlim=(X[0], X[-1]), ylim=(1e-7, 10))
  steepness.set_ylabel("|slope|, as a share of that at 0")
  steepness.set_title("what moves the fake samples", fontsize=10)
  return curves.legend(figure)


_STEEPEST = -(WIDTH**2) * LIMIT**3

CHECKS = (
  Check(
    "GAN: largest |D - D*| where there is data",
    0.05,
    0.0,
    "closed form: sigmoid(-gap x); all seeds",
    relation="at most",
    wrong={
      "D = 1/2": float(_optimal(REAL) - 0.5),
      "real and fake swapped": float(_optimal(REAL) - _optimal(FAKE)),
    },
  ),
  Check(
    "GAN: |D'| in the middle",
    GAP / 4,
    0.2,
    "closed form: gap / 4; mean of seeds",
    wrong={"the slope of the logit": GAP},
  ),
  Check(
    "GAN: |D'| at the fake mean",
    _optimal_steepness(FAKE),
    5e-4,
    "closed form: gap D* (1 - D*); mean of seeds",
    wrong={"as in the middle": GAP / 4, "none": 0.0},
  ),
  Check(
    "GAN: largest |D'| beyond the fake mean",
    0.005,
    0.0,
    "closed form: at most 0.0013 for D*; all seeds",
    relation="at most",
    wrong={
      "does not saturate": GAP / 4,
      "at the edge of the fake samples": _optimal_steepness(FAKE - STDDEV),
    },
  ),
  Check(
    "WGAN: least R^2 of a line between the means",
    0.99,
    0.0,
    "the figure's critic is linear there; all seeds",
    relation="at least",
    wrong={"the discriminator's": _straightness(_optimal(X))},
  ),
  Check(
    "WGAN: slope in the middle",
    _STEEPEST,
    0.02 * abs(_STEEPEST),
    "closed form: -w^2 c^3; mean of seeds",
    wrong={"one layer": -WIDTH * LIMIT**2, "1-Lipschitz": -1.0},
  ),
  Check(
    "WGAN: slope at the fake mean",
    _STEEPEST,
    0.02 * abs(_STEEPEST),
    "closed form: -w^2 c^3, as in the middle; mean of seeds",
    wrong={"saturated as D is": _STEEPEST * _optimal_steepness(FAKE) * 4 / GAP},
  ),
  Check(
    "WGAN: slope of the seed nearest to a wrong sign",
    _STEEPEST / 2,
    0.0,
    "real samples are on the left, so all critics fall to the right everywhere",
    relation="at most",
    wrong={"flat": 0.0, "real and fake swapped": -_STEEPEST},
  ),
)

REPRODUCTION = Reproduction(
  id="wgan_fig2",
  source="WGAN 2017, arXiv 1701.07875, figure 2",
  summary="the best discriminator is flat at fake samples, a critic is a line",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trains=True,
)
