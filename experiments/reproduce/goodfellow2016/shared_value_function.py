"""One value function for NCE, maximum likelihood and GANs.

All three play V = E_data log D(x) + E_fake log(1 - D(x)) on the same data,
N(1.5, 0.7^2). They differ in what is learnt:

  NCE   D = p_model/(p_model + p_noise) learns, p_noise is fixed. Its model is
        exp(-(x - m)^2 / 2 s^2) / Z with log Z as a separate parameter, which
        ends at log(s sqrt(2 pi)): the model is normalised without an integral.
  MLE   D = p_model/(p_model + p_copy) learns, and the copy follows it at once.
        D is always 1/2; Z cancels.
  GAN   D is a network, and a linear generator learns with the gradient of V.

The value ends at -log 4 if real and fake are indistinguishable. For NCE, whose
noise is fixed, it ends at -log 4 + 2 JSD(p_data, p_noise).

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, section 3.4, figure 20, which is a table of these three.
"""

import math
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
from experiments.reproduce.common import expected, pictures
from experiments.reproduce.common.checks import covers
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import games, losses, steps
from gan_jax.data import densities
from gan_jax.estimation import noise_contrastive
from gan_jax.games import Game
from gan_jax.networks.affine import Affine
from gan_jax.networks.mlp import MLP
from gan_jax.types import Array, Params, Players, PRNGKey

MEAN, STDDEV = 1.5, 0.7
NOISE = (0.5, 2.0)
START = (0.0, 1.5)
"""Mean and standard deviation at which every model and generator starts."""
NUM_SEEDS = 8
NUM_STEPS = 1_200
BATCH_SIZE = 256
NUM_AVERAGED = 100
"""Number of last steps over which the noisy value is averaged."""
TARGETS = {
  "mean": (curves.GENERATED, MEAN, 0.03, "the mean of the data"),
  "standard deviation": (
    curves.DISCRIMINATOR,
    STDDEV,
    0.03,
    "the standard deviation of the data",
  ),
  "log Z": (
    curves.AVERAGE,
    math.log(STDDEV * math.sqrt(2 * math.pi)),
    0.02,
    "closed form: log(s sqrt(2 pi))",
  ),
}
"""Colour, target, tolerance and origin of each learnt parameter."""
TITLES = {
  "NCE": "NCE: the model is D, the noise is fixed",
  "MLE": "MLE: the model is D, the noise a copy of it",
  "GAN": "GAN: D is a network, the generator learns",
}


def _log_unnormalized(params: Params, x: Array) -> Array:
  """Computes -(x - m)^2 / 2 s^2 at x [n, 1]."""
  return -0.5 * ((x[:, 0] - params["mean"]) / params["stddev"]) ** 2


def _start(key: PRNGKey) -> Params:
  del key
  mean, stddev = map(jnp.asarray, START)
  return {"mean": mean, "stddev": stddev}


def _gan() -> Game:
  """Returns the minimax game, whose generator starts like the models."""
  game = games.adversarial(
    Affine(),
    MLP((32, 32), 1, activation=nn.tanh),
    losses.minimax(),
    lambda key, n: jax.random.normal(key, (n, 1)),
  )

  def init(key):
    params, variables = game.init(key)
    generator = jax.tree.map(jnp.atleast_1d, _start(key))
    return params._replace(generator=generator), variables

  return game._replace(init=init)


def _games() -> dict[str, Game]:
  """Returns the three games."""
  return {
    "NCE": noise_contrastive.game(
      _log_unnormalized, _start, densities.normal(*NOISE)
    ),
    "MLE": noise_contrastive.maximum_likelihood_game(
      _log_unnormalized,
      _start,
      lambda params, key, n: (
        params["mean"] + params["stddev"] * jax.random.normal(key, (n, 1))
      ),
    ),
    "GAN": _gan(),
  }


def _read(params: Players[Params]) -> dict[str, Array]:
  """Returns the parameters of the model, or else of the generator."""
  d = params.discriminator
  model = params.generator or d.get("model", d)
  read = {
    "mean": jnp.ravel(model["mean"])[0],
    "standard deviation": jnp.abs(jnp.ravel(model["stddev"])[0]),
  }
  return read | ({"log Z": d["log_normalizer"]} if "model" in d else {})


def _train(game: Game, seeds: np.ndarray) -> dict[str, np.ndarray]:
  """Trains all seeds of a game.

  Returns:
    The parameters after each step and the value -J_D before it, [seeds,
    NUM_STEPS] each.
  """
  optimizer = optax.adam(optax.cosine_decay_schedule(0.02, NUM_STEPS), b1=0.5)
  optimizers = Players(optimizer, optimizer)
  data = densities.normal(MEAN, STDDEV)
  step = steps.simultaneous(game, optimizers)

  def train_seed(seed):
    init_key, train_key = jax.random.split(jax.random.key(seed))

    def body(state, key):
      batch_key, step_key = jax.random.split(key)
      batch = data.sample(batch_key, BATCH_SIZE)
      state, metrics = step(state, batch, step_key)
      return state, {
        **_read(state.params),
        "value": -metrics["discriminator_cost"],
      }

    state = steps.init_state(game, optimizers, init_key)
    return jax.lax.scan(body, state, jax.random.split(train_key, NUM_STEPS))[1]

  return jax.tree.map(np.asarray, jax.jit(jax.vmap(train_seed))(seeds))


def compute(inputs: Inputs) -> Computed:
  """Trains the three games on eight seeds."""
  seeds = inputs.seed + np.arange(NUM_SEEDS, dtype=np.uint32)
  courses = {name: _train(game, seeds) for name, game in _games().items()}
  checks = [
    covers(f"{what}, {name}", course[what][:, -1], target, margin, origin)
    for name, course in courses.items()
    for what, (_, target, margin, origin) in TARGETS.items()
    if what in course
  ]
  twice_jsd = 2 * expected.jensen_shannon(
    lambda x: expected.log_normal(x, MEAN, STDDEV),
    lambda x: expected.log_normal(x, *NOISE),
    -15,
    15,
  )
  checks += [
    covers(
      f"value, {name}",
      courses[name]["value"][:, -NUM_AVERAGED:].mean(axis=1),
      divergence - math.log(4),
      margin,
      origin,
    )
    for name, divergence, margin, origin in (
      ("NCE", twice_jsd, 0.02, "-log 4 + 2 JSD(data, noise), by quadrature"),
      ("MLE", 0, 1e-4, "closed form: -log 4, as D is always 1/2"),
      ("GAN", 0, 5e-3, "closed form: -log 4 + 2 JSD with JSD = 0"),
    )
  ]
  return Computed(checks, {"courses": courses})


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the learnt densities and the parameters over the steps."""
  figure, panels = curves.grid(6, 3, (12, 6.8), sharey="row")
  pictures.headline(
    figure,
    "one value function and three games: data "
    f"N({MEAN:g}, {STDDEV:g}²), {NUM_SEEDS} seeds",
  )
  for above, below, (name, course) in zip(
    panels[:3], panels[3:], drawn["courses"].items(), strict=True
  ):
    _draw_densities(above, course)
    above.set_title(
      f"{TITLES[name]}\n"
      f"V at the end {course['value'][:, -NUM_AVERAGED:].mean():.3f}",
      fontsize=10,
    )
    for what, (color, target, *_) in TARGETS.items():
      if what in course:
        below.plot(course[what].T, color=color, linewidth=0.8, label=what)
        below.axhline(target, color=curves.DATA, **curves.REFERENCE)
    below.set_ylim(-0.4, 2.2)
    curves.step_axis(below)
  panels[0].set_ylabel("probability density")
  panels[3].set_ylabel("parameter (log Z in nats)")
  return curves.legend(figure)


def _draw_densities(axes: Axes, course: Mapping[str, np.ndarray]) -> None:
  """Draws the data, each seed's density, and the noise of NCE."""
  x = np.linspace(-4, 5, 400)

  def plot(log_density, style, color, label, **more):
    axes.plot(x, np.exp(log_density), style, color=color, label=label, **more)

  for seed in range(NUM_SEEDS):
    last = {what: values[seed, -1] for what, values in course.items()}
    mean, stddev = last["mean"], last["standard deviation"]
    # NCE has learnt Z; that of the others is the integral.
    log_z = last.get("log Z", math.log(stddev * math.sqrt(2 * math.pi)))
    plot(
      -0.5 * ((x - mean) / stddev) ** 2 - log_z,
      "-",
      curves.GENERATED,
      "learnt, each seed",
      linewidth=4,
      alpha=0.4,
    )
  plot(expected.log_normal(x, MEAN, STDDEV), "--", curves.DATA, "data")
  plot(
    expected.log_normal(x, *START), ":", curves.FRAME, "learnt, at the start"
  )
  if "log Z" in course:
    plot(expected.log_normal(x, *NOISE), "-.", curves.DISCRIMINATOR, "noise")
  axes.set(xlabel="x", ylim=(0, 0.63))


REPRODUCTION = Reproduction(
  id="goodfellow2016_fig20",
  source="Goodfellow 2016, arXiv 1701.00160, figure 20",
  summary="NCE, maximum likelihood and GAN play one value function",
  compute=compute,
  draw=draw,
  trains=True,
)
