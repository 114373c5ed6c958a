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
noise is fixed, it ends at -log 4 + 2 JSD(p_data, p_noise). All numbers are
means over eight seeds.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, section 3.4, figure 20, which is a table of these three.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import integrate

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.run_folder.results import Results
from gan_jax import games, losses, steps
from gan_jax.data import densities
from gan_jax.estimation import noise_contrastive
from gan_jax.games import Game
from gan_jax.networks.affine import Affine
from gan_jax.networks.mlp import MLP
from gan_jax.types import Array, Params, Players, PRNGKey

MEAN, STDDEV = 1.5, 0.7
LOG_NORMALIZER = math.log(STDDEV * math.sqrt(2 * math.pi))
NOISE = (0.5, 2.0)
START = (0.0, 1.5)
"""Mean and standard deviation at which every model and generator starts."""
NUM_SEEDS = 8
NUM_STEPS = 1_200
BATCH_SIZE = 256
LEARNING_RATE = 0.02
NUM_AVERAGED = 100
"""Number of last steps over which the noisy value is averaged."""
NAMES = ("NCE", "MLE", "GAN")


def _log_unnormalized(params: Params, x: Array) -> Array:
  """Computes -(x - m)^2 / 2 s^2 at x [n, 1]."""
  return -0.5 * ((x[:, 0] - params["mean"]) / params["stddev"]) ** 2


def _start(key: PRNGKey) -> Params:
  del key
  mean, stddev = map(jnp.asarray, START)
  return {"mean": mean, "stddev": stddev}


def _sample(params: Params, key: PRNGKey, n: int) -> Array:
  """Draws [n, 1] from the model."""
  return params["mean"] + params["stddev"] * jax.random.normal(key, (n, 1))


def _nce() -> Game:
  return noise_contrastive.game(
    _log_unnormalized, _start, densities.normal(*NOISE)
  )


def _mle() -> Game:
  return noise_contrastive.maximum_likelihood_game(
    _log_unnormalized, _start, _sample
  )


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


def _train_seeds(
  game: Game, read: Callable[[Players[Params]], dict[str, Array]]
) -> dict[str, np.ndarray]:
  """Trains all seeds of a game.

  Args:
    game: the game.
    read: maps the parameters to the scalars to record, by name.

  Returns:
    The recorded scalars after each step and the value -J_D before it,
    [NUM_SEEDS, NUM_STEPS] each.
  """
  optimizer = optax.adam(
    optax.cosine_decay_schedule(LEARNING_RATE, NUM_STEPS), b1=0.5
  )
  optimizers = Players(optimizer, optimizer)
  data = densities.normal(MEAN, STDDEV)
  step = steps.simultaneous(game, optimizers)

  def train_seed(seed):
    init_key, train_key = jax.random.split(jax.random.key(seed))

    def body(state, key):
      batch_key, step_key = jax.random.split(key)
      batch = data.sample(batch_key, BATCH_SIZE)
      state, metrics = step(state, batch, step_key)
      value = -metrics["discriminator_cost"]
      return state, read(state.params) | {"value": value}

    state = steps.init_state(game, optimizers, init_key)
    return jax.lax.scan(body, state, jax.random.split(train_key, NUM_STEPS))[1]

  return jax.tree.map(
    np.asarray, jax.jit(jax.vmap(train_seed))(jnp.arange(NUM_SEEDS))
  )


def _normal_of(params: Params) -> dict[str, Array]:
  """Returns the mean and standard deviation of a model or generator."""
  mean, stddev = jnp.ravel(params["mean"]), jnp.ravel(params["stddev"])
  return {"mean": mean[0], "standard deviation": jnp.abs(stddev[0])}


def compute(runs: Mapping[str, Results]) -> Computed:
  """Trains the three games on eight seeds."""
  courses = {
    "NCE": _train_seeds(
      _nce(),
      lambda params: (
        _normal_of(params.discriminator["model"])
        | {"log Z": params.discriminator["log_normalizer"]}
      ),
    ),
    "MLE": _train_seeds(
      _mle(), lambda params: _normal_of(params.discriminator)
    ),
    "GAN": _train_seeds(_gan(), lambda params: _normal_of(params.generator)),
  }
  measured = {}
  for name, course in courses.items():
    for what, values in course.items():
      last = values[:, -NUM_AVERAGED if what == "value" else -1 :]
      measured[f"{what}, {name}"] = last.mean()
    measured[f"greatest error of a seed, {name}"] = max(
      np.abs(course["mean"][:, -1] - MEAN).max(),
      np.abs(course["standard deviation"][:, -1] - STDDEV).max(),
    )
  return Computed(measured, {"courses": courses})


def _density(x: Any, mean: Any, stddev: Any) -> Any:
  """Computes N(x; mean, stddev^2)."""
  return np.exp(-0.5 * ((x - mean) / stddev) ** 2) / (
    stddev * math.sqrt(2 * math.pi)
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the learnt densities and the parameters over the steps."""
  figure, panels = curves.grid(6, 3, (12, 6.8), sharey="row")
  pictures.headline(
    figure,
    "one value function and three games: data "
    f"N({MEAN:g}, {STDDEV:g}²), {NUM_SEEDS} seeds",
  )
  titles = {
    "NCE": "NCE: the model is D, the noise is fixed",
    "MLE": "MLE: the model is D, the noise a copy of it",
    "GAN": "GAN: D is a network, the generator learns",
  }
  for above, below, (name, title) in zip(
    panels[:3], panels[3:], titles.items(), strict=True
  ):
    course = drawn["courses"][name]
    _draw_densities(above, name, {what: v[:, -1] for what, v in course.items()})
    above.set_title(
      f"{title}\nV at the end {course['value'][:, -NUM_AVERAGED:].mean():.3f}",
      fontsize=10,
    )
    for what, (color, target) in TARGETS.items():
      if what in course:
        for values in course[what]:
          below.plot(values, color=color, linewidth=0.8, label=what)
        below.axhline(target, color=curves.DATA, **curves.REFERENCE)
    below.set_ylim(-0.4, 2.2)
    curves.step_axis(below)
  panels[0].set_ylabel("probability density")
  panels[3].set_ylabel("parameter (log Z in nats)")
  return curves.legend(figure)


def _draw_densities(
  axes: Axes, name: str, final: Mapping[str, np.ndarray]
) -> None:
  """Draws the data, each seed's density, and the noise of NCE."""
  x = np.linspace(-4, 5, 400)
  for seed in range(NUM_SEEDS):
    mean, stddev = (
      final[what][seed] for what in ("mean", "standard deviation")
    )
    learnt = _density(x, mean, stddev)
    if "log Z" in final:
      # Uses the learnt Z instead of the integral.
      learnt *= stddev * math.sqrt(2 * math.pi) / np.exp(final["log Z"][seed])
    axes.plot(
      x,
      learnt,
      color=curves.GENERATED,
      linewidth=4,
      alpha=0.4,
      label="learnt, each seed",
    )
  axes.plot(x, _density(x, MEAN, STDDEV), "--", color=curves.DATA, label="data")
  axes.plot(
    x,
    _density(x, *START),
    ":",
    color=curves.FRAME,
    label="learnt, at the start",
  )
  if name == "NCE":
    axes.plot(
      x, _density(x, *NOISE), "-.", color=curves.DISCRIMINATOR, label="noise"
    )
  axes.set(xlabel="x", ylim=(0, 0.63))


TARGETS = {
  "mean": (curves.GENERATED, MEAN),
  "standard deviation": (curves.DISCRIMINATOR, STDDEV),
  "log Z": (curves.AVERAGE, LOG_NORMALIZER),
}
"""Colour and target value of each learnt parameter."""


def _value_of_nce() -> float:
  """Integrates V of D = p_data / (p_data + p_noise)."""

  def integrand(x):
    p, q = _density(x, MEAN, STDDEV), _density(x, *NOISE)
    return p * math.log(p / (p + q)) + q * math.log(q / (p + q))

  # Farther out there is only noise, of which D is certain.
  return integrate.quad(integrand, -15, 15, epsabs=1e-10, limit=200)[0]


def _checks(name: str) -> tuple[Check, ...]:
  """Returns the checks that the three games share."""
  at_start = dict(zip(("mean", "standard deviation"), START, strict=True))
  return (
    Check(
      f"mean, {name}",
      MEAN,
      0.03,
      "the mean of the data",
      wrong={"not learnt": at_start["mean"], "of the noise": NOISE[0]},
    ),
    Check(
      f"standard deviation, {name}",
      STDDEV,
      0.03,
      "the standard deviation of the data",
      wrong={"not learnt": at_start["standard deviation"], "collapsed": 0.0},
    ),
    Check(
      f"greatest error of a seed, {name}",
      0.0,
      0.06,
      "the data's mean and standard deviation",
      wrong={"not learnt": MEAN},
    ),
  )


CHECKS = (
  *(check for name in NAMES for check in _checks(name)),
  Check(
    "log Z, NCE",
    LOG_NORMALIZER,
    0.02,
    "closed form: log(s sqrt(2 pi))",
    wrong={"not learnt": 0.0, "of s = 1": 0.5 * math.log(2 * math.pi)},
  ),
  Check(
    "value, NCE",
    _value_of_nce,
    0.02,
    "-log 4 + 2 JSD(data, noise), scipy.integrate.quad",
    wrong={"indistinguishable": -math.log(4)},
  ),
  Check(
    "value, MLE",
    -math.log(4),
    1e-4,
    "closed form: -log 4, as D is always 1/2",
    wrong={"of NCE": _value_of_nce},
  ),
  Check(
    "value, GAN",
    -math.log(4),
    5e-3,
    "closed form: -log 4 + 2 JSD with JSD = 0",
    wrong={"of NCE": _value_of_nce},
  ),
)

REPRODUCTION = Reproduction(
  id="goodfellow2016_fig20",
  source="Goodfellow 2016, arXiv 1701.00160, figure 20",
  summary="NCE, maximum likelihood and GAN play one value function",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trains=True,
)
