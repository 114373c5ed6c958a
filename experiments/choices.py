"""What the words among the settings stand for: `--loss=hinge`, and so on.

A new loss, optimizer, prior or initialiser becomes a flag value by one line
here.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import optax
from flax import linen as nn

from gan_jax import losses
from gan_jax.data import latents
from gan_jax.f_divergences import F_DIVERGENCES
from gan_jax.types import Array

LOSSES: Mapping[str, Callable[[], losses.AdversarialLoss]] = {
  "minimax": losses.minimax,
  "non_saturating": losses.non_saturating,
  "maximum_likelihood": losses.maximum_likelihood,
  "least_squares": losses.least_squares,
  "hinge": losses.hinge,
  "wasserstein": losses.wasserstein,
  "bounded_linear": losses.bounded_linear,
  "relativistic_average": losses.relativistic_average,
  "relativistic_pairing": losses.relativistic_pairing,
} | {
  f"f_{name}": functools.partial(losses.f_divergence, name)
  for name in F_DIVERGENCES
}

UPDATES = ("simultaneous", "alternating")


class Optimizer(NamedTuple):
  """An optimizer by (learning_rate, beta1, beta2), and the betas it reads."""

  make: Callable[[Any, Any, Any], optax.GradientTransformation]
  betas: tuple[str, ...]


OPTIMIZERS: Mapping[str, Optimizer] = {
  "adam": Optimizer(
    lambda rate, beta1, beta2: optax.adam(rate, b1=beta1, b2=beta2),
    ("beta1", "beta2"),
  ),
  "rmsprop": Optimizer(
    lambda rate, beta1, beta2: optax.rmsprop(rate, decay=beta2), ("beta2",)
  ),
  "sgd": Optimizer(lambda rate, beta1, beta2: optax.sgd(rate), ()),
}

LEARNING_RATE_DECAYS: Mapping[str, Callable[[Any, int], Any]] = {
  # (initial rate, updates in the run) -> a rate, or a schedule of it.
  "none": lambda rate, num_updates: rate,
  "linear": lambda rate, num_updates: optax.linear_schedule(
    rate, 0.0, num_updates
  ),
  "cosine": optax.cosine_decay_schedule,
}

LATENT_PRIORS: Mapping[str, Callable[[int], Callable[..., Array]]] = {
  "normal": latents.normal,
  "uniform": latents.uniform,
}

ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
  "relu": nn.relu,
  # With the slope of DCGAN below 0.
  "leaky_relu": functools.partial(nn.leaky_relu, negative_slope=0.2),
  "tanh": nn.tanh,
  "softplus": nn.softplus,
}

INITIALIZERS: Mapping[str, Callable[[Any], nn.initializers.Initializer]] = {
  # Each takes `initial_scale`: a standard deviation for the first two, a
  # factor on the standard deviation or the matrix for the others.
  "normal": nn.initializers.normal,
  "truncated_normal": nn.initializers.truncated_normal,
  "he_normal": lambda scale: nn.initializers.variance_scaling(
    2.0 * scale**2, "fan_in", "truncated_normal"
  ),
  "orthogonal": nn.initializers.orthogonal,
}
