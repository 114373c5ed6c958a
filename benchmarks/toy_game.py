"""The games that the contestants of the toy suite play.

A generator MLP 2-128-128-2 and a discriminator MLP 2-128-128-1, with ReLU,
against a ring of eight Gaussians: latents N(0, I), Adam for each player, He's
initial weights, float32, fresh samples at every step of a player.
"""

import itertools

NUM_MODES = 8
RADIUS = 1.0
STDDEV = 0.05
LATENTS = 2
HIDDEN = (128, 128)
LEARNING_RATE = 1e-3
BETA1 = 0.5
BETA2 = 0.999
NON_SATURATING = "non_saturating"
"""The game whose generator maximises log D: a step moves each player once."""
WGAN_GP = "wgan_gp"
"""The game of a critic with a gradient penalty: a step moves the critic a few
times, each on a minibatch and latents of its own, and then the generator."""
CRITIC_STEPS = 5
PENALTY_WEIGHT = 0.1
"""The paper's lambda, as its authors set it on toy data; the target is 1."""
NUM_GENERATED = 1000
"""Samples that show what a generator has learnt."""


def step_flops(batch_size: int) -> int:
  """Counts the operations of the matrix products of one simultaneous step.

  The game is the non-saturating one.

  A layer from a to b features on n rows is a product of 2 n a b operations, and
  so are the gradient in its weights and the one in its inputs. On a batch of B,

    G forward, G weights               B rows, all layers
    G inputs                           B rows, all layers but the first
    D forward, D weights              2B rows (real and fake), all layers
    D inputs                          2B rows, all layers but the first,
                                       B rows (fake), the first layer.

  One pass back through D is enough for both players: a sample's two cotangents
  are multiples of each other. Biases, activations, Adam and random numbers are
  not counted.

  Args:
    batch_size: B, real samples and as many latents.

  Returns:
    The number of additions and multiplications.
  """
  generator = _layers(2)
  discriminator = _layers(1)
  return (
    2
    * batch_size
    * (
      3 * sum(generator)
      - generator[0]
      + 2 * (3 * sum(discriminator) - discriminator[0])
      + discriminator[0]
    )
  )


def _layers(features: int) -> list[int]:
  """Lists the weights of each layer of a player."""
  widths = (2, *HIDDEN, features)
  return [a * b for a, b in itertools.pairwise(widths)]
