"""One network as the decoder of a VAE and as the generator of a GAN.

A VAE maximises a lower bound of the likelihood, in which a normal density of
each pixel stands about the decoder's output. Where the latents do not determine
an image, its best output is the mean of all that they may mean, which is
smoother than any of them. A GAN's discriminator would notice that. The figure
compares both on pictures of clothes, with the same decoder, number of latents,
steps and batches:

  sharpness         mean |Laplacian| of the samples, divided by the data's
  Frechet distance  of the features of a classifier, to held-out images

The samples of the VAE are the decoder's outputs, without the noise of pixels.
The bound on held-out images is compared with the likelihood of probabilistic
PCA with as many latents, which is the best bound of linear networks. That is
shown on the data of the figure `ppca`: a VAE of linear networks, trained from
four starts, has the likelihood of the closed form.

Networks and trainings are small: more steps make both models better. The bounds
are those of the first run, of 1,000 steps, in which the Frechet distances of
three seeds did not differ beyond doubt, and linear networks of larger initial
weights did not reach their best bound.

Source: Kingma and Welling, Auto-Encoding Variational Bayes, arXiv 1312.6114.
Lucas, Tucker, Grosse and Norouzi, Don't Blame the ELBO! A Linear VAE
Perspective on Posterior Collapse, arXiv 1911.02469, for linear networks. That
samples of GANs are sharper: Goodfellow, NIPS 2016 Tutorial, arXiv 1701.00160.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.checks import (
  Check,
  at_least,
  at_most,
  covers,
  lower_end,
)
from experiments.reproduce.common.figure import (
  Computed,
  Inputs,
  Reproduction,
  Training,
)
from experiments.reproduce.common.training_loops import train_on_fresh_batches
from experiments.reproduce.habr2018 import ppca as linear_data
from gan_jax import steps
from gan_jax.data import images
from gan_jax.data.images import Images
from gan_jax.estimation import ppca, variational
from gan_jax.metrics import frechet
from gan_jax.networks import MLP, dcgan
from gan_jax.types import Array, Players

GAN, VAE = "GAN", "VAE"
COLORS = {VAE: curves.DISCRIMINATOR, GAN: curves.GENERATED}
LATENT_DIM, FILTERS, DEPTH = 16, 16, 2
STEPS, EVERY, BATCH_SIZE = 3000, 100, 64
RATE = 1e-3
NUM_SEEDS = 3
NUM_IMAGES = 2000
"""Samples, and held-out images, that are compared."""
NUM_DRAWN = 16

LINEAR_SEEDS = 4
LINEAR_STEPS, LINEAR_EVERY = 3000, 150
LINEAR_RATE = 0.03


def mean_laplacian(values: Array) -> Array:
  """Averages |4 x - sum of the 4 neighbours| over the inside of images."""
  inside = values[:, 1:-1, 1:-1]
  neighbours = (
    values[:, :-2, 1:-1]
    + values[:, 2:, 1:-1]
    + values[:, 1:-1, :-2]
    + values[:, 1:-1, 2:]
  )
  return jnp.mean(jnp.abs(4 * inside - neighbours))


def train_linear(name: str, seed: int) -> np.ndarray:
  """Trains linear VAEs on the data of the figure `ppca`.

  Returns the exact bound, [seeds, 1 + LINEAR_STEPS // LINEAR_EVERY].
  """
  data = jnp.asarray(linear_data.make_data(name), jnp.float32)
  dim, latent_dim = linear_data.MODELS[name][0].shape
  small = nn.initializers.normal(0.1)
  autoencoder = variational.autoencoder(
    MLP((), dim, kernel_init=small),
    # Large weights of log v would make variances that take long to shrink.
    MLP((), 2 * latent_dim, kernel_init=small),
    variational.gaussian(learned=True),
    latent_dim,
  )
  optimizer = optax.adam(optax.cosine_decay_schedule(LINEAR_RATE, LINEAR_STEPS))
  optimizers = Players(optimizer, optimizer)
  step = steps.simultaneous(autoencoder.game, optimizers)
  noise = variational.moment_points(latent_dim, len(data))

  def train(seed):
    init_key, train_key = jax.random.split(jax.random.key(seed))

    def bound(state):
      values = autoencoder.elbo(state.params, state.variables, data, noise)
      return jnp.mean(values)

    def advance(state, key):
      state = train_on_fresh_batches(
        step, state, lambda _: data, LINEAR_EVERY, key
      )
      return state, bound(state)

    start = steps.init_state(autoencoder.game, optimizers, init_key)
    keys = jax.random.split(train_key, LINEAR_STEPS // LINEAR_EVERY)
    _, bounds = jax.lax.scan(advance, start, keys)
    return jnp.concatenate([bound(start)[None], bounds])

  seeds = jnp.arange(seed, seed + LINEAR_SEEDS, dtype=jnp.uint32)
  return np.asarray(jax.jit(jax.vmap(train))(seeds))


def _train(seed: int, train: Images, test: Images) -> dict[str, np.ndarray]:
  """Trains the VAE of a seed.

  Returns the mean bound on held-out images every EVERY steps, `samples`, and
  `reconstructions` of the first held-out images, both uint8.
  """
  autoencoder = variational.autoencoder(
    dcgan.Generator(size=28, channels=1, depth=DEPTH, filters=FILTERS),
    dcgan.Discriminator(depth=DEPTH, filters=FILTERS, features=2 * LATENT_DIM),
    # Learned from near its end, so that 1,000 steps suffice.
    variational.gaussian(0.3, learned=True),
    LATENT_DIM,
  )
  optimizer = optax.adam(optax.cosine_decay_schedule(RATE, STEPS))
  optimizers = Players(optimizer, optimizer)
  step = steps.simultaneous(autoencoder.game, optimizers)
  sampler = images.sampler(train, on_device=True)
  init_key, train_key, noise_key, sample_key = jax.random.split(
    jax.random.key(seed), 4
  )

  @jax.jit
  def advance(state, data, key):
    return train_on_fresh_batches(
      step, state, lambda k: sampler.draw(data, k, BATCH_SIZE)[0], EVERY, key
    )

  elbo = jax.jit(autoencoder.elbo)
  held_out = image_runs.to_units(test.pixels[:NUM_IMAGES])
  noise = jax.random.normal(noise_key, (1, NUM_IMAGES, LATENT_DIM))

  def bound(state):
    values = image_runs.in_chunks(
      lambda x, e: elbo(state.params, state.variables, x, e.swapaxes(0, 1)),
      held_out,
      noise.swapaxes(0, 1),
    )
    return float(jnp.mean(values))

  state = steps.init_state(autoencoder.game, optimizers, init_key)
  bounds = [bound(state)]
  for key in jax.random.split(train_key, STEPS // EVERY):
    state = advance(state, sampler.data, key)
    bounds.append(bound(state))

  decode = functools.partial(
    jax.jit(autoencoder.decode), state.params, state.variables
  )
  latents = jax.random.normal(sample_key, (NUM_IMAGES, LATENT_DIM))
  posterior = autoencoder.encode(
    state.params, state.variables, held_out[:NUM_DRAWN]
  )
  return {
    "bounds": np.array(bounds),
    "samples": image_runs.to_pixels(image_runs.in_chunks(decode, latents)),
    "reconstructions": image_runs.to_pixels(decode(posterior.mean)),
  }


def _linear_likelihood(train: Images, held_out: Array) -> float:
  """Computes the likelihood of PPCA with as many latents on held-out images."""
  pixels = image_runs.to_units(train.pixels[:20_000])
  model = ppca.closed_form(pixels.reshape(len(pixels), -1), LATENT_DIM)
  return float(ppca.log_likelihood(model, held_out.reshape(len(held_out), -1)))


def check_images(measured: Mapping[str, np.ndarray], linear: float):
  """Compares the models of several seeds, and the bound with PPCA's.

  `measured` has `bound`, and the sharpness and Frechet distance of both models,
  [seeds] each.
  """
  claim = "a claim of the literature; set before the first run"
  return [
    at_least(
      "held-out ELBO of the VAE minus likelihood of PPCA (nats)",
      lower_end(measured["bound"] - linear),
      0.0,
      "linear networks have a part of the VAE's maps; set before the first run",
    ),
    at_most(
      "sharpness of the VAE's samples, of the data's",
      measured[f"sharpness, {VAE}"],
      0.8,
      claim,
      margin=0.1,
    ),
    at_least(
      "sharpness of the GAN's samples minus the VAE's",
      lower_end(measured[f"sharpness, {GAN}"] - measured[f"sharpness, {VAE}"]),
      0.0,
      claim,
    ),
    at_least(
      "Frechet distance of the VAE's samples minus the GAN's",
      lower_end(measured[f"Frechet, {VAE}"] - measured[f"Frechet, {GAN}"]),
      0.0,
      claim,
    ),
  ]


def check_linear(
  bounds: Mapping[str, np.ndarray], best: Mapping[str, float]
) -> list[Check]:
  """Compares the bounds [seeds] of linear VAEs with the best likelihoods."""
  return [
    covers(
      f"{name}: ELBO of a linear VAE",
      bounds[name],
      best[name],
      2e-3,
      "the greatest likelihood of PPCA, in closed form",
    )
    for name in bounds
  ]


def compute(inputs: Inputs) -> Computed:
  """Trains the VAEs, and compares them with the GANs."""
  linear, best = {}, {}
  for name, (weights, *_) in linear_data.MODELS.items():
    linear[name] = train_linear(name, inputs.seed)
    data = jnp.asarray(linear_data.make_data(name), jnp.float32)
    model = ppca.closed_form(data, weights.shape[1])
    best[name] = float(ppca.log_likelihood(model, data))

  results = inputs.runs[GAN]
  loaded = image_runs.load_networks(results)
  features = jax.jit(lambda apply, x: frechet.moments(apply(x)[0]))
  held_out = image_runs.to_units(loaded.test.pixels[:NUM_IMAGES])
  real = features(loaded.features.apply, held_out)
  sharpness = float(mean_laplacian(held_out))
  measured: dict[str, list[float]] = {"bound": []}
  curves_of_seeds, drawn = [], {}
  for seed in map(int, results.seeds):
    vae = inputs.keep(
      f"vae-{seed}",
      {"seed": seed, "steps": STEPS, "filters": FILTERS, "rate": RATE},
      functools.partial(_train, seed, loaded.train, loaded.test),
    )
    networks = image_runs.load_networks(results, seed)
    samples = {
      VAE: image_runs.to_units(vae["samples"]),
      GAN: networks.generate(networks.sample_latents(seed, NUM_IMAGES)),
    }
    measured["bound"].append(vae["bounds"][-1])
    for name, values in samples.items():
      distance = frechet.frechet_distance(
        real, features(loaded.features.apply, values)
      )
      measured.setdefault(f"Frechet, {name}", []).append(float(distance))
      measured.setdefault(f"sharpness, {name}", []).append(
        float(mean_laplacian(values)) / sharpness
      )
    curves_of_seeds.append(vae["bounds"])
    if not drawn:
      drawn = {
        "held-out images": loaded.test.pixels[:NUM_DRAWN],
        "made again by the VAE": vae["reconstructions"][:NUM_DRAWN],
        **{
          f"samples of the {name}": image_runs.to_pixels(values[:NUM_DRAWN])
          for name, values in samples.items()
        },
      }
  arrays = {name: np.array(values) for name, values in measured.items()}
  of_pixels = _linear_likelihood(loaded.train, held_out)
  checks = [
    *check_linear({name: each[:, -1] for name, each in linear.items()}, best),
    *check_images(arrays, of_pixels),
  ]
  return Computed(
    checks,
    {
      "images": drawn,
      "bounds": np.array(curves_of_seeds),
      "PPCA": of_pixels,
      "measured": arrays,
      "below": {name: best[name] - linear[name] for name in linear},
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws images of both models, the bounds, and how the samples compare."""
  figure, panels = curves.grid(8, 4, (13, 7))
  pictures.headline(
    figure,
    "the same network as the decoder of a VAE and as the generator of a GAN: "
    f"{STEPS:,} steps, {LATENT_DIM} latents",
  )
  for axes, (title, pixels) in zip(
    panels[:4], drawn["images"].items(), strict=True
  ):
    pictures.show_images(axes, pixels, 4, title)
  bound, sharpness, distance, linear = panels[4:]
  bounds = drawn["bounds"]
  for index, values in enumerate(bounds):
    bound.plot(
      EVERY * np.arange(len(values)),
      values,
      color=COLORS[VAE],
      label="VAE, each seed" if index == 0 else None,
    )
  bound.axhline(
    drawn["PPCA"], color=curves.DATA, label="PPCA", **curves.REFERENCE
  )
  # The first bound, of random networks, would hide the others.
  low = min(bounds[:, 1:].min(), drawn["PPCA"])
  high = max(bounds.max(), drawn["PPCA"])
  bound.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
  curves.step_axis(bound)
  bound.locator_params(axis="x", nbins=4)
  bound.set_title("ELBO of held-out images (nats)", fontsize=10)
  bound.legend(fontsize=8, loc="lower right")
  _bars(sharpness, drawn["measured"], "sharpness", "sharpness of samples")
  sharpness.axhline(1, color=curves.DATA, **curves.REFERENCE)
  sharpness.annotate("the data", (0.5, 1.01), ha="center", fontsize=8)
  _bars(distance, drawn["measured"], "Frechet", "Fréchet distance to the data")
  for (name, values), color in zip(
    drawn["below"].items(), (curves.GENERATED, curves.AVERAGE), strict=True
  ):
    for index, each in enumerate(values):
      linear.semilogy(
        LINEAR_EVERY * np.arange(len(each)),
        np.maximum(each, 1e-7),
        color=color,
        lw=1,
        label=name if index == 0 else None,
      )
  curves.step_axis(linear)
  linear.locator_params(axis="x", nbins=4)
  linear.set_title("linear VAE: nats below PPCA", fontsize=10)
  linear.legend(fontsize=8)
  return figure


def _bars(
  axes: Axes, measured: Mapping[str, np.ndarray], what: str, title: str
) -> None:
  """Draws the mean of each model, and the seeds as points."""
  for position, (name, color) in enumerate(COLORS.items()):
    values = measured[f"{what}, {name}"]
    axes.bar(position, values.mean(), 0.6, color=color, alpha=0.5)
    axes.plot(np.full(len(values), position), values, "o", color=color, ms=4)
  axes.set_xticks(range(len(COLORS)), COLORS)
  axes.set_title(title, fontsize=10)


REPRODUCTION = Reproduction(
  id="vae_and_gan",
  source="Kingma and Welling 2013, arXiv 1312.6114",
  summary="the same decoder in a VAE and in a GAN: bounds or sharp samples",
  minutes=12,
  compute=compute,
  draw=draw,
  trainings={
    GAN: Training(
      "dcgan_fashion_mnist",
      {
        "latent_dim": LATENT_DIM,
        "depth": DEPTH,
        "generator_filters": FILTERS,
        "discriminator_filters": FILTERS,
        "generator_learning_rate": 5e-4,
        "discriminator_learning_rate": 5e-4,
        "batch_size": BATCH_SIZE,
        # The figure measures both models alike.
        "evaluate": False,
        "steps": STEPS,
      },
      NUM_SEEDS,
    )
  },
  trains=True,
)
