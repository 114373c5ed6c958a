"""Flax Linen networks: small generators and discriminators.

`MLP` and `Affine` are for vectors; the modules `dcgan` and `resnet` have
generators and discriminators of images. `MinibatchDiscrimination` and
`MinibatchStandardDeviation` are layers for any discriminator.
"""

from gan_jax.networks import dcgan, mlp, resnet
from gan_jax.networks.affine import Affine
from gan_jax.networks.minibatch import (
  MinibatchDiscrimination,
  MinibatchStandardDeviation,
)
from gan_jax.networks.mlp import MLP

__all__ = [
  "MLP",
  "Affine",
  "MinibatchDiscrimination",
  "MinibatchStandardDeviation",
  "dcgan",
  "mlp",
  "resnet",
]
