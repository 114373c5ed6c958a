"""
Asking for a class
==================

In a conditional game every sample has a condition, here a label. The generator
draws the class that it is asked for, and the discriminator judges whether a
sample looks like one of its class. The classes are six symbols, scaled, turned.

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
from gan_jax.types import Conditional, Players

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
# With ``conditions`` both networks get the label of each sample.

G = dcgan.Generator(16, 1, depth=2, filters=32, num_classes=6)
D = dcgan.Discriminator(depth=2, filters=32, num_classes=6)
noise, classes = latents.normal(16), latents.classes(6)
game = games.adversarial(G, D, losses.hinge(), noise, conditions=classes)
adam = optax.adam(2e-4, b1=0.5)
problem = training.problem(
  game,
  Players(adam, adam),
  lambda key, n: Conditional(*source.draw(source.data, key, n)),
  evaluation_samples=64,
)
result = training.train(problem, [0], training.Schedule(STEPS, STEPS // 2))
samples = result.samples(60, condition=np.repeat(np.arange(6), 10))
tiles = samples.reshape(6, 10, 16, 16).swapaxes(1, 2).reshape(6 * 16, 10 * 16)
plt.imshow(tiles, cmap="gray")
plt.axis("off")
plt.show()
