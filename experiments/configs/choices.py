"""What the words among the settings stand for: `--loss=hinge`, and so on.

A new loss, optimizer, prior or initialiser becomes a flag value by one line
here.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from flax import linen as nn

from gan_jax import losses, penalties, steps
from gan_jax.augmentations import instance_noise
from gan_jax.data import latents
from gan_jax.divergences.f_divergences import F_DIVERGENCES
from gan_jax.games import Game
from gan_jax.networks import dcgan, minibatch, mlp
from gan_jax.penalties import Penalty
from gan_jax.types import Array, Step

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

LABELLED_LOSSES: Mapping[str, Callable[[Any], losses.AdversarialLoss]] = {
  # Those whose discriminator is told a label of data, which may be below 1.
  "minimax": losses.minimax,
  "non_saturating": losses.non_saturating,
  "maximum_likelihood": losses.maximum_likelihood,
  "least_squares": losses.least_squares,
}

PAIRING_LOSSES = ("relativistic_pairing",)
"""Those that compare the i-th real sample with the i-th generated one."""


class Update(NamedTuple):
  """An update rule.

  Attributes:
    make: (game, optimizers, settings) -> the step.
    reads: the settings that this rule alone reads.
    updates: times that it updates an optimizer's state where simultaneous does
      once, which is what a learning rate's decay counts.
    wrap: what it makes of each player's optimizer.
    differentiates_optimizer: whether it takes a derivative of the optimizer.
  """

  make: Callable[[Game, steps.Optimizers, Any], Step]
  reads: tuple[str, ...] = ()
  updates: int = 1
  wrap: Callable[
    [optax.GradientTransformation], optax.GradientTransformation
  ] = lambda optimizer: optimizer
  differentiates_optimizer: bool = False


UPDATES: Mapping[str, Update] = {
  "simultaneous": Update(lambda game, own, s: steps.simultaneous(game, own)),
  "alternating": Update(
    lambda game, own, s: steps.alternating(
      game, own, s.discriminator_steps, s.generator_steps
    ),
    ("discriminator_steps", "generator_steps"),
  ),
  "extragradient": Update(
    lambda game, own, s: steps.extragradient(game, own), updates=2
  ),
  "past_extragradient": Update(
    lambda game, own, s: steps.simultaneous(game, own),
    updates=2,
    wrap=steps.past_extragradient,
  ),
  "consensus": Update(
    lambda game, own, s: steps.consensus(game, own, s.consensus_weight),
    ("consensus_weight",),
  ),
  "symplectic_gradient_adjustment": Update(
    lambda game, own, s: steps.symplectic_gradient_adjustment(
      game, own, s.adjustment_weight, align=True
    ),
    ("adjustment_weight",),
  ),
  "runge_kutta_4": Update(
    lambda game, own, s: steps.runge_kutta_4(
      game, own, s.runge_kutta_step_size
    ),
    ("runge_kutta_step_size",),
  ),
  "unrolled": Update(
    lambda game, own, s: steps.unrolled(game, own, s.unrolled_steps),
    ("unrolled_steps",),
    differentiates_optimizer=True,
  ),
}

PENALTIES: Mapping[str, Callable[[Any, Any], Penalty]] = {
  # Each takes its weight and the settings.
  "gradient_penalty": lambda weight, s: penalties.gradient_penalty(
    weight, s.penalty_target
  ),
  "one_sided_gradient_penalty": lambda weight, s: penalties.gradient_penalty(
    weight, s.penalty_target, one_sided=True
  ),
  "zero_centered": lambda weight, s: penalties.zero_centered(weight),
  "dragan": lambda weight, s: penalties.dragan(weight, s.penalty_target),
  "r1": lambda weight, s: penalties.r1(weight),
  "r2": lambda weight, s: penalties.r2(weight),
  "consistency": lambda weight, s: penalties.consistency(
    weight, instance_noise(s.consistency_noise)
  ),
}

TARGETED_PENALTIES = (
  "gradient_penalty",
  "one_sided_gradient_penalty",
  "dragan",
)
"""Those that draw the slope to `penalty_target`."""

EPS_ROOT = 1e-16
"""Under the root of Adam where a rule differentiates it: the root of a squared
gradient that is 0 (a dead unit's) would have no derivative there."""


class Optimizer(NamedTuple):
  """An optimizer.

  Attributes:
    make: (learning rate, beta1, beta2, epsilon under a root) -> the optimizer.
    betas: those it reads.
  """

  make: Callable[[Any, Any, Any, float], optax.GradientTransformation]
  betas: tuple[str, ...]


OPTIMIZERS: Mapping[str, Optimizer] = {
  "adam": Optimizer(
    lambda rate, beta1, beta2, eps_root: optax.adam(
      rate, beta1, beta2, eps_root=eps_root
    ),
    ("beta1", "beta2"),
  ),
  "optimistic_adam": Optimizer(
    # Of Daskalakis et al. (2018), whose Adam has no Nesterov momentum; its
    # first step is optax's, which takes no gradient to be its own before.
    lambda rate, beta1, beta2, eps_root: optax.optimistic_adam_v2(
      rate, b1=beta1, b2=beta2, eps_root=eps_root, nesterov=False
    ),
    ("beta1", "beta2"),
  ),
  "rmsprop": Optimizer(
    # Its epsilon is under the root already.
    lambda rate, beta1, beta2, eps_root: optax.rmsprop(rate, decay=beta2),
    ("beta2",),
  ),
  "sgd": Optimizer(lambda rate, beta1, beta2, eps_root: optax.sgd(rate), ()),
}

DECAYS: Mapping[str, Callable[[Any, int], optax.Schedule]] = {
  # (initial value, updates in the run) -> the value by updates taken.
  "none": lambda value, num_updates: optax.constant_schedule(value),
  "linear": lambda value, num_updates: optax.linear_schedule(
    value, 0.0, num_updates
  ),
  "cosine": optax.cosine_decay_schedule,
}

AVERAGINGS = ("exponential", "uniform")

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
  # Where hidden units are maxima of several linear maps.
  "identity": lambda x: x,
}

NORMALIZATIONS: Mapping[str, mlp.Normalize | None] = {
  "none": None,
  "batch": mlp.batch_normalized,
  "layer": mlp.layer_normalized,
}

MAP_NORMALIZATIONS: Mapping[str, dcgan.Normalize | None] = {
  "none": None,
  "batch": dcgan.batch_normalized,
  "layer": dcgan.layer_normalized,
}
"""Of the maps of convolutional networks."""

CONDITIONS = ("none", "projection", "concatenation")

COMPUTE_DTYPES: Mapping[str, Any] = {
  "float32": jnp.float32,
  "bfloat16": jnp.bfloat16,
}

SPECTRAL = "spectral"
"""The normalisation of kernels instead of units."""

MINIBATCH_LAYERS: Mapping[str, Callable[[], nn.Module] | None] = {
  "none": None,
  "standard_deviation": minibatch.MinibatchStandardDeviation,
  "discrimination": lambda: minibatch.MinibatchDiscrimination(
    kernels=16, kernel_dim=8
  ),
}

LATENT_JOINS: Mapping[str, Callable[[Any], mlp.Join] | None] = {
  # settings -> what a part of the latents does at each hidden layer.
  "none": None,
  "split": lambda s: mlp.concatenated(s.latent_dim // (s.generator_depth + 1)),
  "added": lambda s: mlp.added(s.latent_join_scale),
  "multiplied": lambda s: mlp.multiplied(s.latent_join_scale),
  "concatenated": lambda s: mlp.concatenated(s.latent_dim),
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
