"""The words that settings take, `--loss=hinge` for one, and what each makes.

A new loss, update rule, penalty, optimizer or initializer becomes a flag value
by one line here. The values are functions that use the libraries only when they
are called, so that `--help` and `--list` do not wait for JAX to be imported.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from etils import epy

if TYPE_CHECKING:
  from gan_jax.games import Game
  from gan_jax.penalties import Penalty
  from gan_jax.types import Array, Players, Step

with epy.lazy_imports():
  import optax
  from flax import linen as nn

  from gan_jax import augmentations, losses, penalties, steps, types
  from gan_jax.data import latents
  from gan_jax.networks import (
    dcgan,
    latent_joins,
    minibatch,
    mlp,
    resnet,
  )

F_DIVERGENCES = (
  "kl",
  "reverse_kl",
  "jensen_shannon",
  "gan",
  "pearson",
  "neyman",
  "squared_hellinger",
  "jeffrey",
  "total_variation",
)

LABELLED_LOSSES: Mapping[str, Callable[..., losses.AdversarialLoss]] = {
  # Each takes the label of real samples, 1 if it is not given.
  "minimax": lambda *label: losses.minimax(*label),
  "non_saturating": lambda *label: losses.non_saturating(*label),
  "maximum_likelihood": lambda *label: losses.maximum_likelihood(*label),
  "least_squares": lambda *label: losses.least_squares(*label),
}

LOSSES: Mapping[str, Callable[[], losses.AdversarialLoss]] = {
  **LABELLED_LOSSES,
  "hinge": lambda: losses.hinge(),
  "wasserstein": lambda: losses.wasserstein(),
  "bounded_linear": lambda: losses.bounded_linear(),
  "relativistic_average": lambda: losses.relativistic_average(),
  "relativistic_pairing": lambda: losses.relativistic_pairing(),
  **{
    f"f_{name}": lambda name=name: losses.f_divergence(name)
    for name in F_DIVERGENCES
  },
}

PRACTICAL_LOSSES: Mapping[str, Callable[[], losses.AdversarialLoss]] = {
  f"f_{name}": lambda name=name: losses.f_divergence(name, practical=True)
  for name in F_DIVERGENCES
  # Its two costs of the generator have equal gradients.
  if name != "total_variation"
}

STANDARD = "standard"
"""The objective of the generator that is part of the loss."""

GENERATOR_OBJECTIVES = {STANDARD: LOSSES, "practical": PRACTICAL_LOSSES}
"""The losses that have each objective of the generator."""

FEATURE_MATCHING = "feature_matching"
"""The objective of matching features of the discriminator, which is in place of
the loss's, for experiments whose discriminator has features."""


def losses_of(
  generator_objective: str,
) -> Mapping[str, Callable[[], losses.AdversarialLoss]]:
  """Returns the losses that have an objective of the generator."""
  return GENERATOR_OBJECTIVES.get(generator_objective, LOSSES)


NOT_PRACTICAL: Mapping[str, str] = {
  # Why another loss has no practical objective; the others are not zero-sum.
  "minimax": "its practical objective is --loss=non_saturating",
  **dict.fromkeys(
    ("wasserstein", "bounded_linear", "f_total_variation"),
    "both objectives have the same gradient",
  ),
}

PAIRING_LOSSES = ("relativistic_pairing",)
"""Losses that compare the i-th real sample with the i-th generated one."""


class Update(NamedTuple):
  """An update rule.

  Attributes:
    make: (game, optimizers, settings) -> the training step.
    updates: optimizer updates in one step, relative to simultaneous updates;
      the decay of the learning rates counts them.
    wrap: optimizer of a player -> the optimizer that this rule needs.
    differentiates_optimizer: whether it differentiates through the optimizer.
  """

  make: Callable[[Game, steps.Optimizers, Any], Step]
  updates: int = 1
  wrap: Callable[
    [optax.GradientTransformation], optax.GradientTransformation
  ] = lambda optimizer: optimizer
  differentiates_optimizer: bool = False


UPDATES: Mapping[str, Update] = {
  "simultaneous": Update(
    lambda game, optimizers, s: steps.simultaneous(game, optimizers)
  ),
  "alternating": Update(
    lambda game, optimizers, s: steps.alternating(
      game, optimizers, s.discriminator_steps, s.generator_steps
    )
  ),
  "extragradient": Update(
    lambda game, optimizers, s: steps.extragradient(game, optimizers), updates=2
  ),
  "past_extragradient": Update(
    lambda game, optimizers, s: steps.simultaneous(game, optimizers),
    updates=2,
    wrap=lambda optimizer: steps.past_extragradient(optimizer),
  ),
  "consensus": Update(
    lambda game, optimizers, s: steps.consensus(
      game, optimizers, s.consensus_weight
    )
  ),
  "symplectic_gradient_adjustment": Update(
    lambda game, optimizers, s: steps.symplectic_gradient_adjustment(
      game, optimizers, s.adjustment_weight, align=True
    )
  ),
  "runge_kutta_4": Update(
    lambda game, optimizers, s: steps.runge_kutta_4(
      game, optimizers, s.runge_kutta_step_size
    )
  ),
  "unrolled": Update(
    lambda game, optimizers, s: steps.unrolled(
      game, optimizers, s.unrolled_steps
    ),
    differentiates_optimizer=True,
  ),
}

PENALTIES: Mapping[str, Callable[[Any, Any], Penalty]] = {
  # (weight, settings) -> the penalty.
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
    weight, augmentations.instance_noise(s.consistency_noise)
  ),
}

EPS_ROOT = 1e-16
"""Added under Adam's square root if the update rule differentiates through it:
the root has no derivative at 0, the squared gradient of a dead unit."""

OPTIMIZERS: Mapping[str, Callable[..., optax.GradientTransformation]] = {
  # (learning rate, beta1, beta2, epsilon under the root) -> the optimizer.
  "adam": lambda rate, beta1, beta2, eps_root: optax.adam(
    rate, beta1, beta2, eps_root=eps_root
  ),
  # Daskalakis et al. (2018), whose Adam has no Nesterov momentum. The first
  # step is optax's, which assumes no previous gradient.
  "optimistic_adam": lambda rate, beta1, beta2, eps_root: (
    optax.optimistic_adam_v2(
      rate, b1=beta1, b2=beta2, eps_root=eps_root, nesterov=False
    )
  ),
  # Its epsilon is under the root already.
  "rmsprop": lambda rate, beta1, beta2, eps_root: optax.rmsprop(
    rate, decay=beta2
  ),
  "sgd": lambda rate, beta1, beta2, eps_root: optax.sgd(rate),
}

DECAYS: Mapping[str, Callable[[Any, int], optax.Schedule]] = {
  # (initial value, updates in the run) -> the value by updates taken.
  "none": lambda value, num_updates: optax.constant_schedule(value),
  "linear": lambda value, num_updates: optax.linear_schedule(
    value, 0.0, num_updates
  ),
  "cosine": lambda value, num_updates: optax.cosine_decay_schedule(
    value, num_updates
  ),
}

AVERAGINGS = ("exponential", "uniform")

LATENT_PRIORS: Mapping[str, Callable[[int], Callable[..., Array]]] = {
  "normal": lambda dim: latents.normal(dim),
  "uniform": lambda dim: latents.uniform(dim),
}

ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
  "relu": lambda x: nn.relu(x),
  # DCGAN's slope for negative inputs.
  "leaky_relu": lambda x: nn.leaky_relu(x, negative_slope=0.2),
  "tanh": lambda x: nn.tanh(x),
  "softplus": lambda x: nn.softplus(x),
  # For hidden units that are maxima of several linear maps.
  "identity": lambda x: x,
}

NORMALIZATIONS: Mapping[str, mlp.Normalize | None] = {
  # For the units [n, width] of an MLP.
  "none": None,
  "batch": lambda units, train: mlp.batch_normalized(units, train),
  "layer": lambda units, train: mlp.layer_normalized(units, train),
}

SPECTRAL = "spectral"
"""Normalises kernels instead of hidden units."""

MAP_NORMALIZATIONS: Mapping[str, dcgan.Normalize | None] = {
  # For the maps [n, height, width, channels] of convolutional networks.
  "none": None,
  "batch": lambda *arguments: dcgan.batch_normalized(*arguments),
  "layer": lambda *arguments: dcgan.layer_normalized(*arguments),
}

LARGE = 64
"""Image size in pixels from which residual networks are those of SN-GAN for 64
pixels, which widen with each halving; the smaller ones keep one width."""


def _residual_networks(s: Any) -> Players[Callable[..., nn.Module]]:
  """Returns the residual networks for images of this size."""
  large = s.image_size >= LARGE
  widening = 2 if large else 1
  return types.Players(
    functools.partial(resnet.Generator, widening=widening),
    functools.partial(
      resnet.Discriminator, plain_blocks=0 if large else 2, widening=widening
    ),
  )


class Architecture(NamedTuple):
  """The networks of a game on images.

  Attributes:
    networks: settings -> both modules, which take the arguments of those in
      `gan_jax.networks.dcgan`.
    halvings: settings -> how many times the discriminator halves an image; its
      argument `depth`.
    joined_layers: settings -> number of the generator's hidden layers that
      latents can join; its argument `joins` has a join for each. 0 is for a
      generator without this argument.
  """

  networks: Callable[[Any], Players[Callable[..., nn.Module]]]
  halvings: Callable[[Any], int] = lambda s: s.depth
  joined_layers: Callable[[Any], int] = lambda s: 0


ARCHITECTURES: Mapping[str, Architecture] = {
  "dcgan": Architecture(
    lambda s: types.Players(dcgan.Generator, dcgan.Discriminator),
    joined_layers=lambda s: s.depth,
  ),
  "resnet": Architecture(
    _residual_networks,
    halvings=lambda s: s.depth + (1 if s.image_size >= LARGE else -1),
    joined_layers=lambda s: s.depth + 1,
  ),
}

CONDITIONS = ("none", "projection", "concatenation")

COMPUTE_DTYPES = ("float32", "bfloat16")

MINIBATCH_LAYERS: Mapping[str, Callable[[], nn.Module] | None] = {
  "none": None,
  "standard_deviation": lambda: minibatch.MinibatchStandardDeviation(),
  "discrimination": lambda: minibatch.MinibatchDiscrimination(
    kernels=16, kernel_dim=8
  ),
}

LATENT_JOINS: Mapping[str, Callable[[Any], latent_joins.Join] | None] = {
  # settings -> how a part of the latents enters each hidden layer.
  "none": None,
  "split": lambda s: latent_joins.concatenated(
    s.latent_dim // (s.joined_layers() + 1)
  ),
  "repeated": lambda s: latent_joins.repeated(),
  "added": lambda s: latent_joins.added(s.latent_join_scale),
  "multiplied": lambda s: latent_joins.multiplied(s.latent_join_scale),
  "concatenated": lambda s: latent_joins.concatenated(s.latent_dim),
}

INITIALIZERS: Mapping[str, Callable[[Any], nn.initializers.Initializer]] = {
  # Each takes `initial_scale`: the standard deviation of the first two, and a
  # factor on the standard deviation or the matrix of the others.
  "normal": lambda scale: nn.initializers.normal(scale),
  "truncated_normal": lambda scale: nn.initializers.truncated_normal(scale),
  "he_normal": lambda scale: nn.initializers.variance_scaling(
    2.0 * scale**2, "fan_in", "truncated_normal"
  ),
  "orthogonal": lambda scale: nn.initializers.orthogonal(scale),
}
