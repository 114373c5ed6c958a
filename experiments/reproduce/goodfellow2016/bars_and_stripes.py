"""Restricted Boltzmann machines that learn bars and stripes.

The data are the 4 x 4 images of which all columns are equal, or all rows: 16 +
16 - 2 = 30 images, as the empty and the full one are both. They have equal
probabilities, so that no model has a larger mean log-likelihood than -log 30 =
-3.4012. It is exact here: log Z is a sum over the 2^16 states of a layer.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from scipy import special

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.checks import (
  at_least,
  at_most,
  close,
  covers,
)
from experiments.reproduce.common.figure import Computed
from gan_jax import statistics
from gan_jax.estimation import boltzmann
from gan_jax.estimation.boltzmann import RBM, Estimate

SIZE = 4
NUM_PIXELS = NUM_HIDDEN = SIZE**2
BEST = -np.log(30)
NUM_STEPS, MEASURED_EVERY = 5_000, 250
COPIES = 2
"""Chains of a pattern, so that PCD has 60 chains."""
LEARNING_RATE = 0.01
TEMPERATURES = (10, 100, 1_000)
NUM_ANNEALED = 500


class Method(NamedTuple):
  """A way to run the chains of the negative phase."""

  num_gibbs_steps: int
  is_persistent: bool


METHODS = {
  "CD-1": Method(1, False),
  "CD-10": Method(10, False),
  "PCD-10": Method(10, True),
}


class Trained(NamedTuple):
  """Machines of several seeds.

  Attributes:
    machines: the last ones, each leaf [seeds, ...].
    log_likelihoods: [seeds, measurements], every `MEASURED_EVERY` steps.
  """

  machines: RBM
  log_likelihoods: np.ndarray


def patterns() -> np.ndarray:
  """Returns all images [30, 16] whose rows, or columns, are equal."""
  images = np.asarray(boltzmann.all_states(NUM_PIXELS))
  square = images.reshape(-1, SIZE, SIZE)
  has_equal_rows = (square == square[:, :1]).all(axis=(1, 2))
  has_equal_columns = (square == square[:, :, :1]).all(axis=(1, 2))
  return images[has_equal_rows | has_equal_columns]


def train(method: Method, seeds: Sequence[int]) -> Trained:
  """Trains a machine of each seed on all patterns at every step."""
  optimizer = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, NUM_STEPS))
  data = jnp.tile(patterns(), (COPIES, 1))

  def train_one(seed):
    init_key, start_key, train_key = jax.random.split(jax.random.key(seed), 3)
    machine = boltzmann.init(init_key, NUM_PIXELS, NUM_HIDDEN, stddev=0.1)
    start = jax.random.bernoulli(start_key, 0.5, data.shape).astype(data.dtype)

    def update(carry, index) -> tuple[Any, None]:
      machine, optimizer_state, chains = carry
      gradient, chains = boltzmann.contrastive_divergence(
        machine,
        data,
        jax.random.fold_in(train_key, index),
        method.num_gibbs_steps,
        chains if method.is_persistent else None,
      )
      updates, optimizer_state = optimizer.update(gradient, optimizer_state)
      machine = optax.apply_updates(machine, updates)
      return (machine, optimizer_state, chains), None

    def measured_updates(carry, indices):
      carry, _ = jax.lax.scan(update, carry, indices)
      return carry, boltzmann.log_likelihood(carry[0], data)

    (machine, *_), log_likelihoods = jax.lax.scan(
      measured_updates,
      (machine, optimizer.init(machine), start),
      jnp.arange(NUM_STEPS).reshape(-1, MEASURED_EVERY),
    )
    return machine, log_likelihoods

  trained = jax.jit(jax.vmap(train_one))(jnp.asarray(seeds, jnp.uint32))
  return Trained(*jax.tree.map(np.asarray, trained))


def anneal(machines: RBM, seed: int) -> dict[int, Estimate]:
  """Estimates log Z of each machine with each number of temperatures."""
  keys = jax.random.split(
    jax.random.key(seed), (len(TEMPERATURES), len(machines.weights))
  )

  def estimate(num_temperatures, keys):
    def of_one(machine, key):
      return boltzmann.annealed_importance_sampling(
        machine, key, NUM_ANNEALED, num_temperatures
      )

    return jax.tree.map(np.asarray, jax.jit(jax.vmap(of_one))(machines, keys))

  return {
    num_temperatures: estimate(num_temperatures, of_machines)
    for num_temperatures, of_machines in zip(TEMPERATURES, keys, strict=True)
  }


def log_partitions(machines: RBM) -> np.ndarray:
  """Computes log Z of each machine over the states of its hidden layer."""
  return np.asarray(
    jax.jit(lambda machines: jax.lax.map(boltzmann.log_partition, machines))(
      machines
    )
  )


def log_partitions_of_images(machines: RBM) -> np.ndarray:
  """Computes log Z of each machine over all images, in NumPy and float64."""
  images = np.indices((2,) * NUM_PIXELS).reshape(NUM_PIXELS, -1)
  values = []
  for parameters in zip(*machines, strict=True):
    weights, visible_bias, hidden_bias = (
      np.asarray(each, float) for each in parameters
    )
    logits = weights.T @ images + hidden_bias[:, None]
    log_sums = np.logaddexp(0, logits).sum(axis=0)
    values.append(special.logsumexp(visible_bias @ images + log_sums))
  return np.array(values)


def compute(seeds: Sequence[int]) -> Computed:
  """Trains machines by each method, and estimates log Z of those of PCD-10."""
  images = patterns()
  trained = {name: train(method, seeds) for name, method in METHODS.items()}
  curves_of_methods = {
    name: each.log_likelihoods for name, each in trained.items()
  }
  last = {name: values[:, -1] for name, values in curves_of_methods.items()}
  machines = trained["PCD-10"].machines
  log_z = log_partitions(machines)
  estimates = anneal(machines, seeds[0])
  most = max(TEMPERATURES)
  inequality = "Gibbs' inequality: at most -log 30"
  checks = [
    close("bars and stripes", len(images), 30, 0, "counting: 16 + 16 - 2"),
    at_most(
      "largest log-likelihood (nats)",
      max(values.max() for values in curves_of_methods.values()),
      BEST,
      inequality,
    ),
    *(
      covers(
        f"log-likelihood (nats), {name}", last[name], BEST, 0.5, inequality
      )
      for name in ("CD-10", "PCD-10")
    ),
    at_least(
      "log-likelihood (nats), CD-10 over CD-1",
      last["CD-10"] - last["CD-1"],
      0.5,
      "the bias of CD-k is less with more steps",
      margin=0.5,
    ),
    at_most(
      "log Z, largest difference of two enumerations",
      np.abs(log_z - log_partitions_of_images(machines)).max(),
      1e-3,
      "NumPy in float64, over images instead of hidden units",
    ),
    at_most(
      f"log Z, largest error of AIS with {most:,} temperatures",
      np.abs(estimates[most].log_partition - log_z).max(),
      0.05,
      "enumeration",
    ),
  ]
  first = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), machines)
  keys = jax.random.split(jax.random.key(seeds[0]))
  start = jax.random.bernoulli(keys[0], 0.5, images.shape).astype(float)
  samples = boltzmann.gibbs_chain(first, keys[1], start, 1_000)
  log_likelihoods = (
    -boltzmann.free_energy(first, jnp.asarray(images)) - log_z[0]
  )
  return Computed(
    checks,
    {
      "images": {
        "data: bars and stripes": images,
        f"PCD-10: bars and stripes\nwith a probability of "
        f"{np.exp(log_likelihoods).sum():.2f}": np.asarray(samples),
      },
      "log-likelihoods": curves_of_methods,
      "AIS": {
        num_temperatures: (each.log_partition - log_z, each.stderr)
        for num_temperatures, each in estimates.items()
      },
    },
  )


def draw(panels: Sequence[Axes], drawn: Mapping[str, Any]) -> None:
  """Draws data, samples, log-likelihoods and errors of AIS on four axes."""
  for axes, (title, images) in zip(
    panels[:2], drawn["images"].items(), strict=True
  ):
    # Pixels that are off are grey, as the lines between images are white.
    pixels = np.where(images > 0, 30, 225).astype(np.uint8)
    pictures.show_images(axes, pixels.reshape(-1, SIZE, SIZE, 1), 6, title)
  _draw_log_likelihoods(panels[2], drawn["log-likelihoods"])
  for num_temperatures, (errors, stderrs) in drawn["AIS"].items():
    panels[3].errorbar(
      num_temperatures * np.geomspace(0.7, 1.4, len(errors)),
      errors,
      stderrs,
      fmt=".",
      capsize=2,
      color=curves.DISCRIMINATOR,
    )
  panels[3].axhline(0, color=curves.DATA, **curves.REFERENCE)
  panels[3].set(
    xscale="log",
    xlabel="temperatures",
    ylabel="AIS less enumeration (nats)",
  )
  panels[3].set_title("log Z of each seed, standard errors", fontsize=10)


def _draw_log_likelihoods(
  axes: Axes, curves_of_methods: Mapping[str, np.ndarray]
) -> None:
  """Draws log-likelihoods [seeds, measurements] over the updates."""
  for (name, values), color in zip(
    curves_of_methods.items(),
    (curves.AVERAGE, curves.GENERATED, curves.DISCRIMINATOR),
    strict=True,
  ):
    updates = MEASURED_EVERY * (1 + np.arange(values.shape[1]))
    intervals = [statistics.mean_and_interval(each) for each in values.T]
    mean, ci95, _ = np.array(intervals, float).T
    axes.plot(updates, mean, color=color, label=name)
    axes.fill_between(
      updates, mean - ci95, mean + ci95, color=color, alpha=0.2, lw=0
    )
  axes.axhline(BEST, color=curves.DATA, label="-log 30", **curves.REFERENCE)
  curves.step_axis(axes)
  axes.locator_params(axis="x", nbins=4)
  axes.set(ylabel="log-likelihood (nats)", ylim=(None, -3))
  axes.set_title("learning bars and stripes", fontsize=10)
  axes.legend(frameon=False, fontsize=9)
