"""Checks of closed-form figures fail when the computation has a mistake.

Each case replaces a function that a figure computes with, and never one that
its expectations are computed with.
"""

import functools
from unittest import mock

import jax
import numpy as np
import optax
import pytest
from absl.testing import absltest, parameterized

from experiments.reproduce.common.figure import Inputs
from experiments.reproduce.registry import BY_ID
from gan_jax import losses, steps
from gan_jax.types import Players


def swapped(function):
  """Swaps the first two arguments of a function."""
  return lambda p, q, *rest, **names: function(q, p, *rest, **names)


def times(factor):
  """Returns the mutation that multiplies the function's result."""
  return lambda function: (
    lambda *args, **names: jax.tree.map(
      lambda x: factor * x, function(*args, **names)
    )
  )


def changed(index, change):
  """Returns the mutation that changes one of the function's arguments."""
  return lambda function: (
    lambda *args: function(
      *args[:index], change(args[index]), *args[index + 1 :]
    )
  )


GOODFELLOW = "experiments.reproduce.goodfellow2016"


def swapped_players(loss):
  """Gives each player of a loss the cost of the other."""

  def mutant():
    generator, discriminator, *rest = loss()
    return losses.AdversarialLoss(discriminator, generator, *rest)

  return mutant


def transposed_plan(optimal_plan):
  """Moves earth from Q to P."""

  def mutant(*args):
    plan, cost = optimal_plan(*args)
    return plan.T, cost

  return mutant


def exchanged(first, second):
  """Returns the mutation that exchanges two entries of a dictionary."""
  return lambda entries: {
    **entries,
    first: entries[second],
    second: entries[first],
  }


def swapped_costs(make_game):
  """Gives each player of a closed-form game the other one's cost."""
  return lambda start, costs, sample: make_game(
    start, lambda *players: Players(*costs(*players)[::-1]), sample
  )


def with_arguments(change):
  """Returns the mutation that replaces arguments, change(*args) -> args."""
  return lambda function: (
    lambda *args, **names: function(*change(*args), **names)
  )


def replaced_by(other):
  """Returns the mutation that uses another function instead."""
  return lambda function: other


CLOSED_FORM = "gan_jax.games.closed_form"


MUTANTS = (
  ("theory_identities", "gan_jax.divergences.kl", times(2)),
  ("goodfellow2016_fig14", "gan_jax.divergences.kl", swapped),
  # D takes real samples for generated ones.
  (
    "goodfellow2016_fig16",
    "gan_jax.games.against_optimal",
    changed(1, times(-1)),
  ),
  (
    "goodfellow2016_fig17",
    "flax.linen.BatchNorm",
    lambda layer: functools.partial(layer, use_bias=False),
  ),
  ("ml_gradient", "gan_jax.games.against_optimal", changed(1, times(-1))),
  # Squared distances.
  (
    "support_rank",
    "gan_jax.metrics.support.nearest_neighbour_dimension",
    times(0.5),
  ),
  ("best_of_three", "gan_jax.divergences.value", times(0.5)),
  ("disjoint_lines", "gan_jax.divergences.total_variation", times(2)),
  ("moving_plan", "gan_jax.divergences.optimal_plan", transposed_plan),
  ("moving_plan", "gan_jax.divergences.wasserstein_1_on_line", times(2)),
  ("moving_plan", "gan_jax.divergences.wasserstein_1", times(0.5)),
  ("ppca", "gan_jax.estimation.ppca.infer", times(0.9)),
  ("habr_fig05", "gan_jax.data.densities.normal_mixture", swapped),
  ("habr_fig12", "jax.random.uniform", times(0.9)),
  ("fgan_conjugates", "gan_jax.divergences.f_divergence", times(2)),
  ("bilinear_vi", f"{CLOSED_FORM}._game", swapped_costs),
  (
    "omd_mean",
    "optax.optimistic_gradient_descent",
    # The past gradient is forgotten.
    replaced_by(optax.sgd),
  ),
  (
    "two_timescale",
    "gan_jax.steps.simultaneous",
    replaced_by(steps.alternating),
  ),
  (
    "discretization_drift",
    "gan_jax.dynamics.stability.step_jacobian",
    times(2),
  ),
  (
    "dirac_gan",
    "experiments.reproduce.mescheder2018.dirac_gan._every_other",
    # The discriminator moves first.
    with_arguments(lambda turn: (1 - turn,)),
  ),
  # The weight is halved, as in the authors' notebook.
  (
    "consensus_eigenvalues",
    "gan_jax.steps.consensus",
    changed(2, lambda weight: weight / 2),
  ),
)
"""Figure, the function that gets a mistake, and the mistake."""
MORE_MUTANTS = (
  # The generator compares its samples with data.
  (
    "theory_identities",
    "gan_jax.losses.hinge",
    replaced_by(losses.relativistic_pairing),
  ),
  (
    "theory_identities",
    "gan_jax.losses.relativistic_pairing",
    replaced_by(losses.hinge),
  ),
  (
    "theory_identities",
    "gan_jax.losses.relativistic_average",
    replaced_by(losses.relativistic_pairing),
  ),
  ("theory_identities", "gan_jax.divergences.cross_entropy", swapped),
  ("theory_identities", "gan_jax.divergences.optimal_discriminator", swapped),
  ("theory_identities", "gan_jax.divergences.value", swapped),
  ("theory_identities", "gan_jax.divergences.value", times(2)),
  ("theory_identities", "gan_jax.divergences.jensen_shannon", times(2)),
  ("theory_identities", "gan_jax.divergences.entropy", times(-1)),
  ("goodfellow2016_fig14", "gan_jax.divergences.kl", times(2)),
  (
    "goodfellow2016_fig14",
    "experiments.reproduce.common.quadrature.normal",
    changed(2, lambda stddev: stddev**2),
  ),
  ("goodfellow2016_fig16", f"{GOODFELLOW}.generator_costs._cost", times(2)),
  # The smallest gradients come first.
  (
    "goodfellow2016_fig16",
    f"{GOODFELLOW}.generator_costs._shares",
    changed(0, lambda sizes: -sizes),
  ),
  (
    "goodfellow2016_fig17",
    "gan_jax.networks.dcgan.base_size",
    with_arguments(lambda size, depth: (2 * size, depth)),
  ),
  # The image keeps its side in every layer of the discriminator.
  (
    "goodfellow2016_fig17",
    "gan_jax.networks.dcgan.convolution",
    with_arguments(lambda x, kernel, stride, padding: (x, kernel, 1, padding)),
  ),
  # The tutorial's factor.
  ("ml_gradient", f"{GOODFELLOW}.normal_game.gradient", times(0.5)),
  (
    "ml_gradient",
    f"{GOODFELLOW}.normal_game.gradient",
    lambda gradient: lambda *args: gradient(*args)[::-1],
  ),
  (
    "support_rank",
    "gan_jax.metrics.support.jacobian_rank",
    lambda rank: functools.partial(rank, relative_tolerance=0.3),
  ),
  ("theory_identities", "gan_jax.divergences.normal_kl", swapped),
  ("theory_identities", "gan_jax.divergences.optimal_value", times(0.5)),
  ("theory_identities", "gan_jax.divergences.huffman_code_lengths", times(2)),
  ("theory_identities", "gan_jax.losses.minimax", swapped_players),
  ("theory_identities", "gan_jax.losses.maximum_likelihood", swapped_players),
  ("best_of_three", "gan_jax.divergences.value", swapped),
  ("disjoint_lines", "gan_jax.divergences.jensen_shannon", times(2)),
  ("disjoint_lines", "gan_jax.divergences.optimal_plan", times(0.5)),
  ("ppca", "gan_jax.estimation.ppca.closed_form", times(0.9)),
  ("ppca", "gan_jax.estimation.ppca.log_likelihood", times(-1)),
  ("habr_fig05", "jax.random.normal", times(0.9)),
  ("habr_fig12", "gan_jax.data.densities.normal_mixture", swapped),
  ("habr_fig18", "gan_jax.data.densities.normal_mixture", swapped),
  ("habr_fig18", "jax.random.normal", times(1.2)),
  (
    "fgan_conjugates",
    "experiments.reproduce.fgan2016.conjugates.F_DIVERGENCES",
    exchanged("kl", "reverse_kl"),
  ),
  (
    "bilinear_vi",
    f"{CLOSED_FORM}.bilinear",
    with_arguments(lambda start: (Players(*start[::-1]),)),
  ),
  ("bilinear_vi", "gan_jax.steps.uniform_decay", times(0.5)),
  ("omd_mean", f"{CLOSED_FORM}._game", swapped_costs),
  (
    "omd_mean",
    "gan_jax.penalties.weight_clipping",
    with_arguments(lambda limit: (2 * limit,)),
  ),
  (
    "two_timescale",
    "experiments.reproduce.common.trajectories.jacobian",
    with_arguments(
      lambda rule, game, rates: (rule, game, Players(*rates[::-1]))
    ),
  ),
  ("two_timescale", "gan_jax.dynamics.stability.step_jacobian", times(2)),
  ("discretization_drift", f"{CLOSED_FORM}._game", swapped_costs),
  (
    "discretization_drift",
    f"{CLOSED_FORM}.quadratic",
    with_arguments(lambda start, curvature: (start, curvature / 2)),
  ),
  ("dirac_gan", f"{CLOSED_FORM}._game", swapped_costs),
  (
    "dirac_gan",
    f"{CLOSED_FORM}.dirac_gan",
    with_arguments(lambda start, loss, penalty: (start, loss)),
  ),
  (
    "dirac_gan",
    "gan_jax.steps.consensus",
    replaced_by(
      lambda game, optimizers, weight: steps.simultaneous(game, optimizers)
    ),
  ),
  ("metrics_behaviour", "gan_jax.metrics.frechet.frechet_distance", times(2)),
  ("metrics_behaviour", "gan_jax.metrics.frechet.moments", times(0.95)),
  ("metrics_behaviour", "gan_jax.metrics.kernel.kernel_distance", times(0.5)),
  # Each sample is also compared with itself.
  (
    "metrics_behaviour",
    "gan_jax.metrics.kernel.kernel_distance",
    lambda distance: (
      lambda real, fake: jax.tree.map(
        lambda x: x + 2.0 / len(real), distance(real, fake)
      )
    ),
  ),
  ("metrics_behaviour", "gan_jax.metrics.neighbours.manifold", swapped),
  (
    "metrics_behaviour",
    "gan_jax.metrics.neighbours.manifold",
    changed(2, lambda k: k + 1),
  ),
  # Neighbouring modes are duplicates.
  (
    "arora2018_birthday",
    "experiments.reproduce.arora2018.support_size.first_duplicate",
    changed(0, lambda points: points / 6),
  ),
  # The sample that repeats another is left out.
  (
    "arora2018_birthday",
    "experiments.reproduce.arora2018.support_size.first_duplicate",
    lambda first: lambda points: first(points) - 1,
  ),
  (
    "arora2018_birthday",
    "experiments.reproduce.arora2018.support_size.support_size",
    times(2),
  ),
  (
    "consensus_eigenvalues",
    "experiments.reproduce.consensus2017.eigenvalues.rate_bound",
    times(2),
  ),
  (
    "consensus_eigenvalues",
    "gan_jax.dynamics.stability.step_jacobian",
    times(2),
  ),
  ("consensus_eigenvalues", f"{CLOSED_FORM}._game", swapped_costs),
)


class MutantsTest(parameterized.TestCase):
  @parameterized.parameters(*MUTANTS)
  def test_a_check_fails(self, figure, target, mutation):
    self.check_mutant_fails(figure, target, mutation)

  @parameterized.parameters(*MORE_MUTANTS)
  @pytest.mark.slow
  def test_a_check_fails_for_more(self, figure, target, mutation):
    self.check_mutant_fails(figure, target, mutation)

  def check_mutant_fails(self, figure, target, mutation):
    # Compiled programs would keep the original function, or later the mutant.
    jax.clear_caches()
    self.addCleanup(jax.clear_caches)
    module, _, name = target.rpartition(".")
    mutant = mutation(getattr(__import__(module, fromlist=[name]), name))
    with (
      jax.numpy_rank_promotion("allow"),
      mock.patch(target, mutant),
      np.errstate(all="ignore"),
    ):
      computed = BY_ID[figure].compute(Inputs())
    self.assertIn(False, [check.passed for check in computed.checks])


if __name__ == "__main__":
  absltest.main()
