"""Compares training on one device with training on eight that split batches.

`sharding_test` runs it as `python -m tests.gan_jax.divided_trainings` and reads
the JSON that it prints, because JAX's number of CPU devices must be set before
JAX starts.
"""

import functools
import json
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax.sharding import NamedSharding, PartitionSpec

from gan_jax import games, losses, penalties, sharding, steps, training
from gan_jax.data import densities, latents
from gan_jax.games import packing
from gan_jax.networks import dcgan, minibatch, mlp
from gan_jax.types import Players

NUM_DEVICES = 8
BATCH_SIZE = 32
NUM_STEPS = 8
SGD = optax.sgd(0.1, momentum=0.5)


class ByParts(nn.Module):
  """Batch normalisation with separate statistics for each device."""

  @nn.compact
  def __call__(self, units):
    parts = units.reshape(math.gcd(NUM_DEVICES, len(units)), -1, units.shape[1])
    mean = parts.mean(axis=1, keepdims=True)
    variance = parts.var(axis=1, keepdims=True)
    normal = ((parts - mean) / jnp.sqrt(variance + 1e-5)).reshape(units.shape)
    scale = self.param("scale", nn.initializers.ones, units.shape[1:])
    bias = self.param("bias", nn.initializers.zeros, units.shape[1:])
    return normal * scale[None] + bias[None]


def problem(game, step, sample):
  """Makes a problem whose metrics and snapshots are of the generator."""

  def draw(state, key, n):
    return game.sample(state.params, state.variables, key, n)

  return training.Problem(
    init=lambda key: steps.init_state(game, Players(SGD, SGD), key),
    sample_batch=sample,
    step=step,
    evaluate=lambda state, key, data: {
      # Eight devices do not divide 20 samples.
      "power": jnp.mean(draw(state, key, 20) ** 2)
    },
    snapshot=lambda state, key: {"samples": draw(state, key, 4)},
    reference={},
  )


def ring(
  make=games.adversarial,
  loss=losses.non_saturating,
  normalize=None,
  packs=1,
  turns=1,
  discriminator=None,
  **options,
):
  game = make(
    mlp.MLP(hidden=(16,), features=2, normalize=normalize),
    mlp.MLP(
      hidden=(16,), features=1, normalize=normalize, **discriminator or {}
    ),
    loss(),
    latents.normal(4),
    **options,
  )
  density = densities.ring()
  optimizers = Players(SGD, SGD)
  step = steps.simultaneous(game, optimizers)
  if turns > 1:
    step = steps.alternating(game, optimizers, discriminator_steps=turns)
  return problem(
    game,
    step,
    lambda key, data: density.sample(key, BATCH_SIZE * packs * turns),
  )


def images():
  """Makes a small DCGAN, deep enough for Winograd's forms."""
  normalize = dcgan.batch_normalized
  game = games.adversarial(
    dcgan.Generator(
      size=8, channels=1, depth=1, filters=24, normalize=normalize
    ),
    dcgan.Discriminator(depth=2, filters=24, normalize=normalize),
    losses.non_saturating(),
    latents.normal(4),
  )
  return problem(
    game,
    steps.simultaneous(game, Players(SGD, SGD)),
    lambda key, data: jax.random.normal(key, (BATCH_SIZE, 8, 8, 1)),
  )


CASES = {
  "images": images,
  "batch_norm": functools.partial(ring, normalize=mlp.batch_normalized),
  "gradient_penalty": functools.partial(
    ring,
    loss=losses.wasserstein,
    penalty=penalties.gradient_penalty(1.0),
    turns=2,
  ),
  "packs_that_mix": functools.partial(
    ring,
    make=functools.partial(packing.packed, size=2),
    packs=2,
    discriminator={
      "dropout": 0.5,
      "before_output": minibatch.MinibatchStandardDeviation(),
    },
    mixes_samples=True,
  ),
}


def train(problem, devices, seeds=(3,)):
  """Trains members; returns their state, metrics and snapshots, on the host."""
  population = training.population(
    problem, len(seeds), devices, len(seeds), sharding.DATA
  )
  keys = population.keys(np.asarray(seeds, np.uint32))
  progress = population.init(keys)
  progress = population.advance(
    progress, keys, np.int32(0), np.int32(NUM_STEPS)
  )
  return sharding.on_host(
    (
      progress.state.params,
      progress.state.variables,
      population.evaluate(progress, keys),
      population.snapshot(progress, keys),
    )
  )


def difference(one, other):
  """Returns the largest difference of any two numbers."""
  return max(
    float(np.abs(a - b).max())
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
  )


def params_after(problem, devices):
  """Trains a member; returns its params and the operations of each device."""
  mesh = sharding.mesh(devices, sharding.DATA)
  whole = NamedSharding(mesh, PartitionSpec())
  keys = training.member_keys(3)

  def steps_of(progress, keys):
    progress = training.advance(
      problem, progress, keys, jnp.int32(0), jnp.int32(NUM_STEPS)
    )
    return progress.state.params

  with jax.set_mesh(mesh):
    begin = jax.jit(
      lambda keys: training.init(problem, keys), out_shardings=whole
    )
    arguments = begin(keys), jax.device_put(keys, whole)
    compiled = jax.jit(steps_of, out_shardings=whole).lower(*arguments)
    compiled = compiled.compile()
    params = sharding.on_host(compiled(*arguments))
  costs: Any = compiled.cost_analysis()
  return params, costs["flops"]


def main():
  devices = jax.devices()
  found = {}
  alone = train(CASES["batch_norm"](), devices[:1])
  by_parts = ring(
    normalize=lambda units, train: ByParts()(units), mixes_samples=True
  )
  found["population"] = {
    "divided": difference(alone, train(CASES["batch_norm"](), devices)),
    "by_parts": difference(
      jax.tree.map(lambda x: x[0], alone[0]),
      params_after(by_parts, devices[:1])[0],
    ),
  }
  for name in ("gradient_penalty", "packs_that_mix", "images"):
    of_one, operations_of_one = params_after(CASES[name](), devices[:1])
    of_many, operations_of_many = params_after(CASES[name](), devices)
    found[name] = {
      "divided": difference(of_one, of_many),
      "operations": operations_of_many / operations_of_one,
    }
  print(json.dumps(found))


if __name__ == "__main__":
  jax.config.update("jax_num_cpu_devices", NUM_DEVICES)
  main()
