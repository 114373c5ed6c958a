"""Singular values of discriminator weights, with spectral normalisation.

Spectral normalisation divides each kernel by an estimate of its largest
singular value. With rectified units the discriminator is then 1-Lipschitz: its
slope is at most the product of the layers' largest singular values, all 1. Each
pass updates the estimate by one power iteration from the previous one.

The game is a hinge game on the ring of 8 Gaussians: 1,500 simultaneous steps of
Adam at 1e-3 with decays 0.5 and 0.999 and cosine decay, with a normalised and
with a plain discriminator. NumPy computes the singular values in float64, of
the kernels divided by the stored estimates. The learning rate decay matters.
The largest singular values of a normalised layer become almost equal, so power
iteration converges slowly, and at a constant rate of 1e-3 the estimate lags
behind by up to a tenth.

Source: Miyato, Kataoka, Koyama and Yoshida, Spectral Normalization for
Generative Adversarial Networks, arXiv 1802.05957, section 2.1 and algorithm 1.
Their figure 3 shows the spectra of a convolutional network; this game is not in
the paper.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, training_loops
from experiments.reproduce.common.checks import at_least, at_most, covers
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import games, losses, steps
from gan_jax.data import densities, latents
from gan_jax.metrics import slopes
from gan_jax.networks.mlp import MLP
from gan_jax.types import Players

LAYERS = 4
NUM_SEEDS = 8
NUM_STEPS = 1500
BATCH = 128
LINE = np.linspace(-2, 2, 41)
NORMALISED, PLAIN = "spectral normalisation", "plain"


def _train(
  spectral_norm: bool, seed: int
) -> tuple[list[np.ndarray], np.ndarray]:
  """Trains discriminators against generators on the ring.

  Returns:
    The singular values of each layer's effective kernel, [seeds, n], and the
    steepest slopes on a grid of points, [seeds].
  """
  real = densities.ring()
  game = games.adversarial(
    MLP((128, 128), features=2),
    MLP((128,) * (LAYERS - 1), features=1, spectral_norm=spectral_norm),
    losses.hinge(),
    latents.normal(2),
  )
  adam = optax.adam(optax.cosine_decay_schedule(1e-3, NUM_STEPS), b1=0.5)
  optimizers = Players(adam, adam)
  discriminate = game.discriminate
  assert discriminate is not None
  plane = jnp.stack(jnp.meshgrid(LINE, LINE), axis=-1).reshape(-1, 2)

  def train_one(seed):
    init_key, train_key = jax.random.split(jax.random.key(seed))
    state = training_loops.train_on_fresh_batches(
      steps.simultaneous(game, optimizers),
      steps.init_state(game, optimizers, init_key),
      lambda key: real.sample(key, BATCH),
      NUM_STEPS,
      train_key,
    )
    critic = functools.partial(discriminate, state.params, state.variables)
    steepest = jnp.max(slopes.slopes(critic, plane))
    return state.params.discriminator, state.variables.discriminator, steepest

  seeds = jnp.asarray(range(seed, seed + NUM_SEEDS), jnp.uint32)
  params, variables, steepest = jax.jit(jax.vmap(train_one))(seeds)
  spectra = []
  for index in range(LAYERS):
    name = f"Dense_{index}"
    kernel = np.asarray(params[name]["kernel"], np.float64)
    if spectral_norm:
      estimates = variables["batch_stats"][f"SpectralNorm_{index}"]
      kernel /= np.asarray(estimates[f"{name}/kernel/sigma"])[:, None, None]
    spectra.append(np.linalg.svd(kernel, compute_uv=False))
  return spectra, np.asarray(steepest)


def compute(inputs: Inputs) -> Computed:
  """Trains the discriminators and decomposes their kernels."""
  drawn, steepest, largest = {}, {}, {}
  for name in (NORMALISED, PLAIN):
    drawn[name], steepest[name] = _train(name == NORMALISED, inputs.seed)
    largest[name] = np.stack([values[:, 0] for values in drawn[name]])
  checks = [
    covers(
      f"normalised: {which} of the layers' largest sigmas",
      extreme(largest[NORMALISED], axis=0),
      1.0,
      0.02,
      "closed form: 1",
    )
    for which, extreme in (("greatest", np.max), ("least", np.min))
  ]
  checks += [
    at_most(
      "normalised: steepest slope",
      steepest[NORMALISED].max(),
      1.02**LAYERS,
      "closed form: at most the product of the layers' sigmas; all seeds",
    ),
    at_least(
      "plain: least of the layers' largest sigmas",
      largest[PLAIN].min(axis=0),
      1.45,
      "He's initial weights have at least sqrt(2)",
      margin=0.25,
    ),
    at_least(
      "plain: steepest slope",
      steepest[PLAIN],
      15.0,
      "the layers' sigmas start at 10, 3, 3 and 1.4",
      margin=10.0,
    ),
  ]
  return Computed(checks, drawn)


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the singular values of each layer for all seeds."""
  figure, panels = curves.grid(
    LAYERS, LAYERS, (11, 4.4), sharey=True, width_ratios=(1, 3, 3, 1)
  )
  pictures.headline(
    figure,
    "spectral normalisation: the largest singular value of each layer's kernel "
    f"is 1 after training ({NUM_SEEDS} seeds each)",
  )
  colours = {NORMALISED: curves.DISCRIMINATOR, PLAIN: curves.GENERATED}
  for layer, axes in enumerate(panels):
    for name, layers in drawn.items():
      values = layers[layer]
      index = np.arange(1, values.shape[1] + 1)
      for spectrum in values:
        axes.plot(
          index, spectrum, ".-", color=colours[name], lw=1, ms=4, label=name
        )
    axes.axhline(1, color=curves.DATA, label="1", **curves.REFERENCE)
    axes.set_title(f"layer {layer + 1}", fontsize=10)
    axes.set_xlabel("index")
    axes.set_yscale("log")
  panels[0].set(ylabel="singular value", ylim=(0.01, 30))
  for axes, ticks in ((panels[0], (1, 2)), (panels[-1], (1,))):
    axes.set(xticks=ticks, xlim=(0.5, ticks[-1] + 0.5))
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="spectral_norm",
  source="spectral normalisation 2018, arXiv 1802.05957, section 2.1",
  summary="a normalised discriminator's layers have a largest singular value 1",
  minutes=1,
  compute=compute,
  draw=draw,
  trains=True,
)
