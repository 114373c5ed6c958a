"""
Asking for a class
==================

In a conditional game every sample has a label. The generator draws the class
that it is asked for, and the discriminator judges whether a sample looks like
one of its class. The classes here are six symbols, scaled and turned.

The script takes about 25 seconds on two CPU cores. You should see one symbol in
each row, in several sizes and angles.
"""

import matplotlib.pyplot as plt
import numpy as np
import optax
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from gan_jax import games, losses, training
from gan_jax.data import images, latents
from gan_jax.networks import dcgan
from gan_jax.types import Labelled, Players

STEPS = 1500


def draw(symbol, size, angle):
  """Draws a symbol as uint8 [16, 16, 1]."""
  image = Image.new("L", (16, 16))
  font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)
  ImageDraw.Draw(image).text((8, 8), symbol, 255, font, anchor="mm")
  return np.asarray(image.rotate(angle))[..., None]


poses = [(size, angle) for size in range(12, 18) for angle in range(-30, 31)]
pixels = np.stack([draw(s, *pose) for s in "♠♥♦♣★☂" for pose in poses])
labels = np.repeat(np.arange(6, dtype=np.int32), len(poses))
source = images.sampler(images.Images(pixels, labels, (), 0), on_device=True)

# %%
# With ``num_classes`` a game is conditional, and both networks get the labels.

generator = dcgan.Generator(16, 1, depth=2, filters=32, num_classes=6)
discriminator = dcgan.Discriminator(depth=2, filters=32, num_classes=6)
game = games.adversarial(
  generator, discriminator, losses.hinge(), latents.normal(16), num_classes=6
)
adam = optax.adam(2e-4, b1=0.5)
problem = training.problem(
  game,
  Players(adam, adam),
  lambda key, n: Labelled(*source.draw(source.data, key, n)),
  evaluation_samples=64,
)
result = training.train(problem, [0], training.Schedule(STEPS, STEPS // 2))
samples = result.samples(60, labels=np.repeat(np.arange(6), 10))
tiles = samples.reshape(6, 10, 16, 16).swapaxes(1, 2).reshape(6 * 16, 10 * 16)
plt.imshow(tiles, cmap="gray")
plt.axis("off")
plt.show()
