"""Flax Linen networks: small generators and discriminators.

`MLP` and `Affine` are for vectors; the modules `dcgan` and `resnet` have
generators and discriminators of images, and `image_to_image` those of images
whose condition is images. `categorical` has generators of discrete symbols and
`weight_normalized` perceptrons for semi-supervised learning.
`MinibatchDiscrimination` and `MinibatchStandardDeviation` are layers for any
discriminator. `application` applies a network whose parameters and other
variables are apart, as games keep them.
"""

from gan_jax.networks import (
  application,
  categorical,
  dcgan,
  image_to_image,
  latent_joins,
  mlp,
  resnet,
  weight_normalized,
)
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
  "application",
  "categorical",
  "dcgan",
  "image_to_image",
  "latent_joins",
  "mlp",
  "resnet",
  "weight_normalized",
]
