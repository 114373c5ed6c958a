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
from experiments.reproduce.common.checks import at_most, covers
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import losses, penalties
from gan_jax.data import densities
from gan_jax.networks.mlp import MLP

REAL, FAKE, STDDEV = -2.0, 2.0, 1.0
GAP = FAKE - REAL
WIDTH, LIMIT = 64, 0.01
NUM_SEEDS = 8
X = np.linspace(-6, 6, 601)
MIDDLE, AT_FAKE = np.argmin(np.abs(X)), np.argmin(np.abs(X - FAKE))
P, Q = stats.norm.pdf(X, REAL, STDDEV), stats.norm.pdf(X, FAKE, STDDEV)
WITH_DATA = P + Q > 0.01
BEST = P / (P + Q)
BEST_STEEPNESS = GAP / STDDEV**2 * BEST * (1 - BEST)


def compute(inputs: Inputs) -> Computed:
  """Trains discriminators and critics, and measures their slopes."""
  logits, critics = (
    training_loops.train_critics(
      densities.normal(REAL, STDDEV),
      densities.normal(FAKE, STDDEV),
      MLP((WIDTH, WIDTH), features=1, activation=nn.tanh),
      loss,
      optimizer,
      num_steps=num_steps,
      batch_size=batch_size,
      seeds=range(inputs.seed, inputs.seed + NUM_SEEDS),
      x=X,
    ).values.astype(float)
    for loss, optimizer, num_steps, batch_size in (
      (
        losses.minimax(),
        optax.adam(optax.cosine_decay_schedule(0.01, 1000)),
        1000,
        512,
      ),
      (
        losses.wasserstein(),
        optax.chain(
          optax.rmsprop(5e-5, decay=0.99), penalties.weight_clipping(LIMIT)
        ),
        1500,
        256,
      ),
    )
  )
  discriminators = special.expit(logits)
  steepness = np.abs(np.gradient(discriminators, X, axis=1))
  slopes = np.gradient(critics, X, axis=1)
  checks = [
    at_most(
      "GAN: largest |D - D*| where there is data",
      np.abs(discriminators - BEST)[:, WITH_DATA].max(axis=1),
      0.03,
      "closed form: sigmoid(-gap x)",
      margin=0.02,
    ),
    covers(
      "GAN: |D'| in the middle",
      steepness[:, MIDDLE],
      GAP / 4,
      0.2,
      "closed form: gap / 4",
    ),
    covers(
      "GAN: |D'| at the fake mean",
      steepness[:, AT_FAKE],
      BEST_STEEPNESS[AT_FAKE],
      5e-4,
      "closed form: gap D* (1 - D*)",
    ),
    at_most(
      "GAN: largest |D'| beyond the fake mean",
      steepness[:, AT_FAKE:].max(axis=1),
      BEST_STEEPNESS[AT_FAKE],
      "closed form: gap D* (1 - D*) is largest at the fake mean",
      margin=1e-3,
    ),
    *(
      covers(
        f"WGAN: slope {where}",
        per_seed,
        -(WIDTH**2) * LIMIT**3,
        0.02 * WIDTH**2 * LIMIT**3,
        "closed form: -w^2 c^3 everywhere",
      )
      for where, per_seed in (
        ("in the middle", slopes[:, MIDDLE]),
        ("at the fake mean", slopes[:, AT_FAKE]),
        ("where it is flattest", slopes.max(axis=1)),
      )
    ),
  ]
  return Computed(
    checks,
    {
      "discriminators": discriminators,
      "critics": critics,
      "steepness": {"GAN": steepness, "WGAN": np.abs(slopes)},
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the discriminators, the critics and the slopes of both."""
  figure, panels = curves.grid(3, 3, (12, 4))
  pictures.headline(
    figure,
    "two fixed distributions: a GAN's discriminator saturates, a clipped "
    f"WGAN critic does not ({NUM_SEEDS} seeds)",
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
  best: dict[str, Any] = {"color": curves.DATA, **curves.REFERENCE}
  axes.plot(X, BEST, label="D* = p / (p + q)", **best)
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
  steepness.plot(X, BEST * (1 - BEST) / 0.25, **best)
  steepness.axvspan(
    FAKE - STDDEV, FAKE + STDDEV, color=curves.GENERATED, alpha=0.15, lw=0
  )
  steepness.set_yscale("log")
  steepness.set(xlabel="x", xlim=(X[0], X[-1]), ylim=(1e-7, 10))
  steepness.set_ylabel("|slope|, as a share of that at 0")
  steepness.set_title("what moves the fake samples", fontsize=10)
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="wgan_fig2",
  source="WGAN 2017, arXiv 1701.07875, figure 2",
  summary="the best discriminator is flat at fake samples, a critic is a line",
  compute=compute,
  draw=draw,
  trains=True,
)
