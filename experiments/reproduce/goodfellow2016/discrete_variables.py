"""Discrete variables: latents of a GAN may be discrete, and its outputs not.

A GAN learns by the gradient of its cost through the generator's output. If that
is a discrete symbol, a step function of the logits, the gradient is 0. A VAE
learns by the gradient through a sample of its latents, and is in the same
position if those are discrete. The roles are exchanged: z is only an input of a
GAN's generator, and x is only compared by a VAE's decoder, so each may be
discrete. The figure has three parts.

  outputs       Generators of 8 symbols with probabilities 8/36, 7/36, ... 1/36.
                With argmax their gradient is exactly 0. With the
                straight-through or the Gumbel-softmax output they learn.
  latents of a  The gradient of E_q log p(x | z) in the logits of q, where z is
  VAE           one of 8 symbols: by enumeration, through the sample, by the
                score function E (log p(x | z)) d log q(z), and through the
                Gumbel-softmax, which is biased.
  latents of a  A GAN with the latent z in {1, ..., 8} learns a ring of 8
  GAN           Gaussians. Its generator is linear in the one-hot z, so that it
                has 8 points. With normal latents e beside z it is linear in
                both: the points have a common width, as the data have.

The discriminator of symbols is linear. That loses nothing, because it has a
number for each symbol, and it cannot tell the inside of the simplex, where the
Gumbel-softmax is, from its corners. A perceptron can, and drives the generator
away from the data's probabilities.

On the ring, noise that decays is added to real and to generated samples:
without it two symbols often share a mode. R1 makes the game converge. Of two
earlier designs without it, one had a seed of four that lost a mode and samples
that were too wide, and the other a seed that diverged. The bounds are those of
the first design, and this one was chosen with the seeds 500 to 507.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, on what VAEs and GANs cannot have. Jang, Gu and Poole, Categorical
Reparameterization with Gumbel-Softmax, arXiv 1611.01144; Maddison, Mnih and
Teh, The Concrete Distribution, arXiv 1611.00712. Neither has this figure.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, rings
from experiments.reproduce.common.checks import (
  Check,
  at_least,
  at_most,
  close,
)
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.common.training_loops import train_on_fresh_batches
from gan_jax import augmentations, games, losses, penalties, steps
from gan_jax.data import densities, latents
from gan_jax.estimation import variational
from gan_jax.games import Game
from gan_jax.metrics import modes
from gan_jax.networks import MLP, categorical
from gan_jax.types import Array, Players

NUM_SEEDS = 4
NUM_SYMBOLS = 8
PROBABILITIES = np.arange(NUM_SYMBOLS, 0, -1) / 36
ARGMAX, THROUGH, SOFTMAX = "argmax", "straight-through", "Gumbel-softmax"
OUTPUTS = {
  ARGMAX: categorical.hard,
  THROUGH: categorical.straight_through(0.5),
  SOFTMAX: categorical.gumbel_softmax(0.2),
}
COLORS = {
  "data": curves.DATA,
  ARGMAX: curves.AVERAGE,
  THROUGH: curves.DISCRIMINATOR,
  SOFTMAX: curves.GENERATED,
}
LARGEST_KL = 0.01

SYMBOL, SYMBOL_AND_NOISE = "GAN of a symbol", "GAN of a symbol and noise"
RING_LATENTS = {
  SYMBOL: latents.one_hot(NUM_SYMBOLS),
  SYMBOL_AND_NOISE: latents.joined(
    latents.one_hot(NUM_SYMBOLS), latents.normal(2)
  ),
}
RING_STEPS = 2000
FIRST_NOISE = 0.4
PENALTY_WEIGHT = 0.1
NUM_SAMPLES = 1000

ENUMERATED, SAMPLE, SCORE = "enumerated", "through the sample", "score function"
GRADIENTS = {
  ENUMERATED: curves.DATA,
  SAMPLE: curves.AVERAGE,
  SCORE: curves.DISCRIMINATOR,
  SOFTMAX: curves.GENERATED,
}
NUM_DRAWS = 20_000


def _ring() -> densities.Density:
  # No constant: JAX must not compute before the command has chosen devices.
  return densities.ring(NUM_SYMBOLS)


def _adam(rate: float, num_steps: int) -> optax.GradientTransformation:
  return optax.adam(optax.cosine_decay_schedule(rate, num_steps), b1=0.5)


def train_symbols(output: categorical.Output, seed: int) -> dict[str, Any]:
  """Trains generators of symbols.

  Returns the norm of the generator's first gradient, and the probabilities of
  the symbols before and after training, for each seed.
  """
  latent_dim, num_steps, batch_size = 4, 600, 512
  network = MLP((32,), NUM_SYMBOLS)
  game = games.adversarial(
    categorical.Symbols(network, NUM_SYMBOLS, output),
    MLP((), 1),
    losses.non_saturating(),
    latents.joined(latents.normal(latent_dim), latents.gumbel(NUM_SYMBOLS)),
  )
  optimizers = Players(_adam(1e-3, num_steps), _adam(0.05, num_steps))
  step = steps.simultaneous(game, optimizers)
  log_probabilities = jnp.log(jnp.asarray(PROBABILITIES))

  def sample(key):
    drawn = jax.random.categorical(key, log_probabilities, shape=(batch_size,))
    return jax.nn.one_hot(drawn, NUM_SYMBOLS)

  def train(seed):
    keys = jax.random.split(jax.random.key(seed), 4)
    z = jax.random.normal(keys[0], (4096, latent_dim))

    def probabilities(state):
      params = {"params": state.params.generator["logits"]}
      logits: Any = network.apply(params, z)
      return jnp.mean(jax.nn.softmax(logits, axis=1), axis=0)

    start = steps.init_state(game, optimizers, keys[1])
    gradients, _, _ = steps.player_gradients(game)(
      start.params, start.variables, sample(keys[2]), keys[2]
    )
    end = train_on_fresh_batches(step, start, sample, num_steps, keys[3])
    return {
      "gradient": optax.tree.norm(gradients.generator),
      "before": probabilities(start),
      "after": probabilities(end),
    }

  return _over_seeds(train, seed)


def train_ring(name: str, seed: int) -> dict[str, Any]:
  """Trains GANs with a discrete latent on the ring.

  Returns the metrics of the modes, the latents and the samples of each seed.
  """
  ring, prior = _ring(), RING_LATENTS[name]
  optimizers = Players(_adam(3e-3, RING_STEPS), _adam(3e-3, RING_STEPS))

  def make_game(step: Array) -> Game:
    # While there is noise, the samples of the symbols spread over the ring.
    noise = FIRST_NOISE * jnp.maximum(1 - 2 * step / RING_STEPS, 0)
    return games.adversarial(
      MLP((), 2),
      MLP((64, 64), 1),
      losses.non_saturating(),
      prior,
      penalty=penalties.r1(PENALTY_WEIGHT),
      augment=augmentations.instance_noise(noise),
    )

  game = make_game(jnp.int32(0))
  step = steps.scheduled(
    lambda step: steps.simultaneous(make_game(step), optimizers)
  )

  def train(seed):
    init_key, train_key, key = jax.random.split(jax.random.key(seed), 3)
    state = train_on_fresh_batches(
      step,
      steps.init_state(game, optimizers, init_key),
      lambda key: ring.sample(key, 256),
      RING_STEPS,
      train_key,
    )
    samples = game.sample(state.params, state.variables, key, NUM_SAMPLES)
    symbols = jnp.argmax(prior(key, NUM_SAMPLES)[:, :NUM_SYMBOLS], axis=1)
    return {
      **modes.measure(samples, ring),
      "samples": samples,
      "symbols": symbols,
    }

  return _over_seeds(train, seed)


def _over_seeds(train: Any, seed: int) -> dict[str, Any]:
  seeds = jnp.arange(seed, seed + NUM_SEEDS, dtype=jnp.uint32)
  return jax.tree.map(np.asarray, jax.jit(jax.vmap(train))(seeds))


def estimate_gradients(seed: int) -> dict[str, np.ndarray]:
  """Estimates d E_q log p(x | z) / d logits of q, where z is a symbol.

  The decoder maps the symbol to a point of the ring, and x is normal about it.

  Returns [draws, symbols] for each estimate, and [1, symbols] by enumeration.
  """
  x, points = jnp.array([[0.8, 0.4]]), _ring().modes
  logits = jnp.asarray(np.linspace(0.5, -0.5, NUM_SYMBOLS), jnp.float32)
  likelihood = variational.gaussian(0.5)

  def log_likelihood(z):
    means = z @ points
    return likelihood.log_prob({}, means, jnp.broadcast_to(x, means.shape))

  def enumerated(logits):
    return jax.nn.softmax(logits) @ log_likelihood(jnp.eye(NUM_SYMBOLS))

  def through(output):
    def value(logits, noise):
      return log_likelihood(output((logits + noise)[None]))[0]

    return jax.vmap(jax.grad(value), (None, 0))

  def by_score(logits, noise):
    z = categorical.hard((logits + noise)[None])

    def surrogate(logits):
      log_q = z[0] @ jax.nn.log_softmax(logits)
      return log_likelihood(z)[0] * log_q

    return jax.grad(surrogate)(logits)

  noise = latents.gumbel(NUM_SYMBOLS)(jax.random.key(seed), NUM_DRAWS)
  estimates = {
    ENUMERATED: jax.grad(enumerated)(logits)[None],
    SAMPLE: through(categorical.hard)(logits, noise),
    SCORE: jax.vmap(by_score, (None, 0))(logits, noise),
    SOFTMAX: through(categorical.gumbel_softmax(0.5))(logits, noise),
  }
  return {name: np.asarray(each) for name, each in estimates.items()}


def kl_from_data(probabilities: np.ndarray) -> np.ndarray:
  """Computes KL(data || generator) [seeds] of probabilities [seeds, m]."""
  return np.sum(PROBABILITIES * np.log(PROBABILITIES / probabilities), axis=1)


def check_symbols(symbols: Mapping[str, Mapping[str, np.ndarray]]):
  """Checks the gradients and the divergences of generators of symbols."""
  argmax = symbols[ARGMAX]
  checks = [
    close(
      "largest gradient of a generator with argmax",
      argmax["gradient"].max(),
      0.0,
      0.0,
      "algebra: a step function has the slope 0",
    ),
    close(
      "largest change of a probability in training, argmax",
      np.abs(argmax["after"] - argmax["before"]).max(),
      0.0,
      0.0,
      "algebra: Adam does not move without a gradient",
    ),
  ]
  for name in (THROUGH, SOFTMAX):
    values = kl_from_data(symbols[name]["after"])
    checks += [
      at_most(
        f"KL of the data from the generator, {name}",
        values,
        LARGEST_KL,
        "set before the first run",
        margin=0.005,
      ),
      at_most(
        f"largest KL of a seed, {name}",
        values.max(),
        LARGEST_KL,
        "set before the first run",
      ),
      at_least(
        f"smallest first gradient of a seed, {name}",
        symbols[name]["gradient"].min(),
        1e-6,
        "not 0",
      ),
    ]
  return checks


def check_gradients(estimates: Mapping[str, np.ndarray]) -> list[Check]:
  """Compares the estimates of the gradient of a bound with enumeration."""
  exact = estimates[ENUMERATED][0]
  score, softmax = estimates[SCORE], estimates[SOFTMAX].mean(axis=0)
  error = score.std(axis=0, ddof=1) / np.sqrt(len(score))
  cosine = softmax @ exact / np.linalg.norm(softmax) / np.linalg.norm(exact)
  return [
    close(
      "gradient of the bound through a discrete sample, largest",
      np.abs(estimates[SAMPLE]).max(),
      0.0,
      0.0,
      "algebra: a step function has the slope 0",
    ),
    at_least(
      "gradient of the bound by enumeration, largest",
      np.abs(exact).max(),
      0.1,
      "not 0; set before the first run",
    ),
    at_most(
      "error of the score function's mean (standard errors), largest",
      np.max(np.abs(score.mean(axis=0) - exact) / error),
      4.0,
      "algebra: it is unbiased",
    ),
    at_least(
      "cosine of the Gumbel-softmax's mean gradient to the exact one",
      cosine,
      0.8,
      "set before the first run; it is biased",
    ),
  ]


def check_ring(runs: Mapping[str, Mapping[str, np.ndarray]]) -> list[Check]:
  """Checks that GANs with a discrete latent have all modes."""
  checks = [
    at_least(
      f"modes covered, {name}",
      run["modes_covered"],
      NUM_SYMBOLS,
      "all modes of the ring; set before the first run",
      margin=0.5,
    )
    for name, run in runs.items()
  ]
  checks.append(
    at_least(
      f"high quality of samples, {SYMBOL_AND_NOISE}",
      runs[SYMBOL_AND_NOISE]["high_quality_fraction"],
      0.9,
      f"{modes.PERFECT_HIGH_QUALITY:.3f} of exact samples; set before the "
      "first run",
      margin=0.05,
    )
  )
  return checks


def compute(inputs: Inputs) -> Computed:
  """Trains the generators and estimates the gradients."""
  symbols = {
    name: train_symbols(output, inputs.seed) for name, output in OUTPUTS.items()
  }
  estimates = estimate_gradients(inputs.seed)
  runs = {name: train_ring(name, inputs.seed) for name in RING_LATENTS}
  return Computed(
    [
      *check_symbols(symbols),
      *check_gradients(estimates),
      *check_ring(runs),
    ],
    {"symbols": symbols, "estimates": estimates, "ring": runs},
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws probabilities, gradients, and the ring by symbols."""
  figure, panels = curves.grid(6, 3, (13, 8))
  pictures.headline(
    figure,
    "discrete variables: a GAN's outputs and a VAE's latents have no gradient, "
    "a GAN's latents need none",
  )
  _draw_probabilities(panels[0], drawn["symbols"])
  _draw_divergences(panels[1], drawn["symbols"])
  _draw_gradients(panels[2], drawn["estimates"])
  for axes, (name, run) in zip(panels[3:5], drawn["ring"].items(), strict=True):
    _draw_ring(axes, name, run)
  _draw_near_mode(panels[5], drawn["ring"])
  return figure


def _bars(axes: Axes, groups: Mapping[str, np.ndarray], colors) -> None:
  """Draws a bar of each group at each symbol."""
  width = 0.8 / len(groups)
  for index, (name, values) in enumerate(groups.items()):
    shift = (index - (len(groups) - 1) / 2) * width
    axes.bar(
      np.arange(1, NUM_SYMBOLS + 1) + shift,
      values,
      width,
      color=colors[name],
      label=name,
    )
  axes.set_xticks(range(1, NUM_SYMBOLS + 1))
  axes.set_xlabel("symbol")


def _draw_probabilities(axes: Axes, symbols: Mapping[str, Any]) -> None:
  """Draws the probabilities of the data and of the generators of one seed."""
  generated = {name: run["after"][0] for name, run in symbols.items()}
  _bars(axes, {"data": PROBABILITIES, **generated}, COLORS)
  # The bars are high at the left and, with argmax, anywhere.
  axes.set_ylim(0, 1.45 * axes.get_ylim()[1])
  axes.legend(fontsize=8, ncols=2, loc="upper right")
  axes.set_title("generated symbols, one seed: probabilities", fontsize=10)


def _draw_divergences(axes: Axes, symbols: Mapping[str, Any]) -> None:
  """Draws the divergence of each seed before and after training."""
  for position, (name, run) in enumerate(symbols.items()):
    before, after = (kl_from_data(run[when]) for when in ("before", "after"))
    for start, end in zip(before, after, strict=True):
      axes.plot(
        [position - 0.2, position + 0.2],
        [start, end],
        ".-",
        color=COLORS[name],
      )
  axes.axhline(LARGEST_KL, color=curves.FRAME, **curves.REFERENCE)
  axes.set_yscale("log")
  axes.set_xticks(range(len(symbols)), symbols, fontsize=8)
  axes.set(xlim=(-0.5, len(symbols) - 0.5), ylabel="nats")
  axes.set_title("KL from the data, before and after training", fontsize=10)


def _draw_gradients(axes: Axes, estimates: Mapping[str, np.ndarray]) -> None:
  """Draws the mean of each estimate of the gradient of a bound."""
  _bars(
    axes,
    {name: each.mean(axis=0) for name, each in estimates.items()},
    GRADIENTS,
  )
  axes.axhline(0, color=curves.FRAME, lw=0.8)
  axes.legend(fontsize=8, loc="upper right")
  axes.set_title(
    "gradient of a VAE's bound in the logits of its latent", fontsize=10
  )


def _draw_ring(axes: Axes, name: str, run: Mapping[str, np.ndarray]) -> None:
  """Draws the samples of one seed, in the colour of their symbol."""
  rings.draw_modes(axes, np.asarray(_ring().modes), 16)
  axes.scatter(
    *run["samples"][0].T,
    c=run["symbols"][0],
    cmap="tab10",
    vmin=0,
    vmax=10,
    s=30 if name == SYMBOL else 4,
    lw=0,
  )
  axes.set(aspect="equal", xlim=(-1.45, 1.45), ylim=(-1.45, 1.45))
  covered = ", ".join(f"{count:.0f}" for count in run["modes_covered"])
  axes.set_title(
    f"{name}; a colour for each symbol\nmodes of each seed: {covered}",
    fontsize=10,
  )


def _draw_near_mode(axes: Axes, runs: Mapping[str, Any]) -> None:
  """Draws how far samples are from their nearest mode, for all seeds."""
  centres = np.asarray(_ring().modes)
  radii = np.linspace(0, 0.25, 200)
  deviation = float(_ring().mode_stddev[0])
  for (name, run), color in zip(
    runs.items(), (curves.DISCRIMINATOR, curves.GENERATED), strict=True
  ):
    offsets = run["samples"].reshape(-1, 1, 2) - centres[None]
    distances = np.linalg.norm(offsets, axis=-1).min(axis=1)
    axes.plot(
      radii,
      np.mean(distances[:, None] <= radii[None], axis=0),
      color=color,
      label=name,
    )
  axes.plot(
    radii,
    1 - np.exp(-0.5 * (radii / deviation) ** 2),
    color=curves.DATA,
    label="data",
    **curves.REFERENCE,
  )
  axes.set(xlabel="distance from the nearest mode", ylim=(0, 1.03))
  axes.set_title("share of samples within a distance", fontsize=10)
  axes.legend(fontsize=8, loc="lower right")


REPRODUCTION = Reproduction(
  id="discrete_variables",
  source="Goodfellow 2016, arXiv 1701.00160, and Jang et al. 2016, 1611.01144",
  summary="symbols: no gradient as outputs of a GAN or latents of a VAE",
  minutes=1,
  compute=compute,
  draw=draw,
  trains=True,
)
