"""
A DCGAN on digits
=================

The generator of a DCGAN starts with a small image of many channels, and each of
its layers doubles the sides. The discriminator halves them. The digits are of
one font, scaled and turned; ``images.load`` reads MNIST or your photos instead.

The script takes about 25 seconds on two CPU cores. You should see noise turn
into digits.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import optax
from PIL import Image, ImageDraw, ImageFont

from gan_jax import games, losses, training
from gan_jax.data import images, latents
from gan_jax.networks import dcgan
from gan_jax.types import Players

STEPS = 2000


def draw(digit, size, angle):
  """Draws a digit as uint8 [16, 16, 1]."""
  image = Image.new("L", (16, 16))
  font = ImageFont.load_default(size)
  ImageDraw.Draw(image).text((8, 8), digit, 255, font, anchor="mm")
  return jnp.asarray(image.rotate(angle))[..., None]


poses = [(size, angle) for size in (14, 15, 16) for angle in range(-15, 16)]
digits = jnp.stack([draw(d, *pose) for d in "0123456789" for pose in poses])

# %%
# A result has samples of every logged step, which here are five.

generator = dcgan.Generator(size=16, channels=1, depth=2, filters=32)
discriminator = dcgan.Discriminator(depth=2, filters=32)
game = games.adversarial(
  generator, discriminator, losses.non_saturating(), latents.normal(64)
)
adam = optax.adam(2e-4, b1=0.5)
problem = training.problem(
  game,
  Players(adam, adam),
  lambda key, n: images.to_unit(jax.random.choice(key, digits, (n,))),
  evaluation_samples=64,
)
result = training.train(problem, [0], training.Schedule(STEPS, STEPS // 4))
(frames,) = result.snapshots["samples"]
figure, axes = plt.subplots(1, 5, figsize=(15, 3.5))
for panel, step, frame in zip(axes, result.steps, frames, strict=True):
  tiles = frame[:64].reshape(8, 8, 16, 16).swapaxes(1, 2).reshape(128, 128)
  panel.imshow(tiles, cmap="gray")
  panel.set(title=f"step {step}", xticks=[], yticks=[])
plt.show()
