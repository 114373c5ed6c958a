"""The games of the toy suite.

A generator MLP 2-128-128-2 and a discriminator MLP 2-128-128-1, with ReLU,
learn a ring of eight Gaussians: latents N(0, I), Adam for each player, He's
initial weights, float32, new samples for every update of a player.
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
"""The generator maximises log D. A step updates each player once."""
WGAN_GP = "wgan_gp"
"""The critic has a gradient penalty. A step updates the critic `CRITIC_STEPS`
times, each time with new real samples and latents, and then the generator."""
CRITIC_STEPS = 5
PENALTY_WEIGHT = 0.1
"""The penalty's weight (lambda) of the authors on toy data. The target is 1."""
NUM_GENERATED = 1000
"""Number of samples to check what the generator has learnt."""


def step_flops(batch_size: int) -> int:
  """Counts the operations of the matrix products of one simultaneous step.

  The game is the non-saturating one. A layer from a to b features on n rows is
  a product of 2 n a b operations, and so are the gradients in its weights and
  in its inputs. A step on a batch of B has:

    G forward, G weights               B rows, all layers
    G inputs                           B rows, all layers but the first
    D forward, D weights              2B rows (real and fake), all layers
    D inputs                          2B rows, all layers but the first,
                                       B rows (fake), the first layer.

  One backward pass through D serves both players, because the two cotangents of
  a sample are multiples of each other. Biases, activations, Adam and random
  numbers are not counted.

  Args:
    batch_size: B, the number of real samples and of latents.

  Returns:
    The number of additions and multiplications.
  """
  generator = _count_weights(2)
  discriminator = _count_weights(1)
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


def _count_weights(features: int) -> list[int]:
  """Returns the number of weights of each layer of a player."""
  widths = (2, *HIDDEN, features)
  return [a * b for a, b in itertools.pairwise(widths)]
