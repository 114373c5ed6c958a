"""A member of a packed program is the trial alone, for every number."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from experiments.configs.fields import fields_of
from experiments.configs.registry import BY_NAME, EXPERIMENTS
from experiments.configs.settings import with_values
from experiments.sweeps import vectorize
from experiments.training.run_config import RunSettings
from gan_jax import training

STEPS = 4
SMALL = {"discriminator_width": 8, "batch_size": 8, "evaluation_samples": 8}

CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
  # Name: experiment, what all trials share, and what each trial changes alone.
  "most": (
    "ring",
    {
      "generator_width": 8,
      "penalty": ("dragan", "consistency"),
      "penalty_weight": (1.0, 0.7),
      "instance_noise": 0.1,
      "discriminator_l2": 0.01,
      "label_smoothing": 0.1,
      "weight_clipping": 0.3,
      "latent_join": "added",
      "initial_bias": 0.1,
    },
    {
      "generator_learning_rate": 0.02,
      "discriminator_learning_rate": 0.03,
      "generator_beta1": 0.3,
      "generator_beta2": 0.8,
      "discriminator_beta1": 0.0,
      "discriminator_beta2": 0.7,
      "penalty_weight": (0.5, 2.0),
      "penalty_target": 0.2,
      "consistency_noise": 0.5,
      "instance_noise": 0.5,
      "discriminator_l2": 0.5,
      "label_smoothing": 0.3,
      "weight_clipping": 0.1,
      "generator_average": 0.5,
      "latent_join_scale": 0.4,
      "initial_scale": 0.5,
      "initial_bias": -0.2,
      "mode_stddev": 0.3,
      "radius": 2.0,
    },
  ),
  "consensus": ("ring", {"update": "consensus"}, {"consensus_weight": 0.1}),
  "adjusted": (
    "ring",
    {"update": "symplectic_gradient_adjustment"},
    {"adjustment_weight": 0.2},
  ),
  "runge_kutta": (
    "ring",
    {"update": "runge_kutta_4"},
    {"runge_kutta_step_size": 0.2},
  ),
  "grid": ("grid", {}, {"spacing": 1.0}),
  "cycle": (
    "cycle_rings",
    {"generator_width": 8, "identity_weight": 1.0},
    {"cycle_weight": 3.0, "identity_weight": 5.0},
  ),
  "line": (
    "mixture_near",
    {"input_weight": (1.0, 1.0)},
    {
      "input_mean": (-1.0, 4.0),
      "input_stddev": (2.0,),
      "input_weight": (1.0, 3.0),
    },
  ),
}
FAST = ("consensus",)


def trained(population, seeds):
  """Takes steps; returns the parameters and averages of the members."""
  keys = jax.vmap(training.member_keys)(jnp.asarray(seeds, jnp.uint32))
  progress = population.advance(
    population.init(keys), keys, jnp.int32(0), jnp.int32(STEPS)
  )
  return jax.device_get((progress.state.params, progress.state.averages))


class PackingTest(parameterized.TestCase):
  def test_all_that_varies_is_tried(self):
    varying = {
      field.name
      for experiment in EXPERIMENTS
      for field in fields_of(type(experiment.settings))
      if field.metadata["varies"]
    }
    tried = {name for _, _, changes in CASES.values() for name in changes}
    self.assertEqual(varying, tried)

  @parameterized.named_parameters(*((name, *CASES[name]) for name in FAST))
  def test_packed_is_alone(self, experiment, shared, changes):
    self.check_packed_is_alone(experiment, shared, changes)

  @parameterized.named_parameters(
    *((name, *case) for name, case in CASES.items() if name not in FAST)
  )
  @pytest.mark.slow
  def test_packed_is_alone_for_the_others(self, experiment, shared, changes):
    self.check_packed_is_alone(experiment, shared, changes)

  def check_packed_is_alone(self, experiment, shared, changes):
    experiment = BY_NAME[experiment]
    base = with_values(experiment.settings, SMALL | shared)
    runs = [
      RunSettings(experiment, with_values(base, values), (3,))
      for values in ({}, *({name: value} for name, value in changes.items()))
    ]
    variation = vectorize.pack(runs, vectorize.builder(runs[0]))
    self.assertEqual(set(variation.values), set(changes))
    packed = trained(
      training.varied_population(
        variation.make_problem,
        variation.values,
        len(runs),
        jax.devices()[:1],
        num_drawn=1,
      ),
      variation.roots,
    )
    base_alone = None
    for index, run in enumerate(runs):
      alone = trained(
        training.population(
          experiment.build(run.settings), 1, jax.devices()[:1], num_drawn=1
        ),
        run.seeds,
      )
      with self.subTest(run.settings):
        # An argument is rounded to 32 bits before anything is computed of it,
        # a constant afterwards: 1 - 0.999 differs by 1e-5 of itself.
        chex.assert_trees_all_close(
          jax.tree.map(lambda x, index=index: x[index : index + 1], packed),
          alone,
          rtol=1e-4,
          atol=2e-6,
        )
      if base_alone is None:
        base_alone = alone
        continue
      # The setting has an effect that the tolerance would not pass.
      distance = max(
        np.abs(a - b).max()
        for a, b in zip(
          jax.tree.leaves(alone), jax.tree.leaves(base_alone), strict=True
        )
      )
      self.assertGreater(distance, 1e-4, run.settings)


if __name__ == "__main__":
  absltest.main()
