"""Trains the toy games with this library, one seed or several together."""

import functools
from collections.abc import Callable

import optax

from benchmarks import gan_jax_training, toy_game
from benchmarks.timing import Training
from gan_jax import games, losses, penalties, steps, training
from gan_jax.data import densities, latents
from gan_jax.networks.mlp import MLP
from gan_jax.types import Players, Step


def networks() -> Players[MLP]:
  """Makes the two perceptrons."""
  return Players(
    MLP(hidden=toy_game.HIDDEN, features=2),
    MLP(hidden=toy_game.HIDDEN, features=1),
  )


def _game(
  loss: losses.AdversarialLoss, penalty: penalties.Penalty | None = None
) -> games.Game:
  players = networks()
  return games.adversarial(
    players.generator,
    players.discriminator,
    loss,
    latents.normal(toy_game.LATENTS),
    penalty=penalty,
  )


def _problem(
  game: games.Game,
  update: Callable[[games.Game, steps.Optimizers], Step],
  num_real: int,
) -> training.Problem:
  """Makes a problem whose step draws `num_real` real samples."""
  ring = densities.ring(toy_game.NUM_MODES, toy_game.RADIUS, toy_game.STDDEV)
  adam = optax.adam(
    toy_game.LEARNING_RATE, b1=toy_game.BETA1, b2=toy_game.BETA2
  )
  optimizers = Players(adam, adam)
  return training.Problem(
    init=lambda key: steps.init_state(game, optimizers, key),
    sample_batch=lambda key, data: ring.sample(key, num_real),
    step=update(game, optimizers),
    evaluate=lambda state, key, data: {},
    snapshot=lambda state, key: {
      "samples": game.sample(
        state.params, state.variables, key, toy_game.NUM_GENERATED
      )
    },
    reference={},
  )


def simultaneous(batch_size: int, num_seeds: int = 1) -> Training:
  """Starts simultaneous updates of the non-saturating game."""
  game = _game(losses.non_saturating())
  return gan_jax_training.start(
    _problem(game, steps.simultaneous, batch_size), num_seeds
  )


def alternating(batch_size: int) -> Training:
  """Starts alternating updates of the non-saturating game, with one seed."""
  game = _game(losses.non_saturating())
  return gan_jax_training.start(_problem(game, steps.alternating, batch_size))


def wgan_gp(batch_size: int, num_seeds: int = 1) -> Training:
  """Starts WGAN-GP."""
  game = _game(
    losses.wasserstein(), penalties.gradient_penalty(toy_game.PENALTY_WEIGHT)
  )
  update = functools.partial(
    steps.alternating, discriminator_steps=toy_game.CRITIC_STEPS
  )
  num_real = toy_game.CRITIC_STEPS * batch_size
  return gan_jax_training.start(_problem(game, update, num_real), num_seeds)
