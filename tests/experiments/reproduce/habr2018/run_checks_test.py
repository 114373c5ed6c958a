"""Measurements and checks of runs written by hand."""

import numpy as np
from absl.testing import absltest, parameterized

from experiments.reproduce.common.figure import Inputs
from experiments.reproduce.habr2018 import distributions, run_checks
from experiments.run_folder.results import Results


def make(snapshots=None, metrics=None):
  """Returns a run of two seeds and eight logs."""
  return Results(
    "x", {}, np.arange(2), np.arange(8), metrics or {}, snapshots or {}
  )


class RunChecksTest(parameterized.TestCase):
  def test_late_averages_the_last_quarter_of_each_seed(self):
    values = np.arange(16.0).reshape(2, 8)
    # Logs 6 and 7 of both seeds: 6, 7, 14, 15.
    late = run_checks.late(make(metrics={"a": values}), "a")
    np.testing.assert_array_equal(late, [6.5, 14.5])

  def test_seeds_that_lose_different_modes_do_not_cancel(self):
    samples = np.zeros([2, 8, 4, 1])
    samples[0, :, :3], samples[0, :, 3:] = 1.0, 5.0
    samples[1, :, :1], samples[1, :, 1:] = 1.0, 5.0
    # The lighter mode has a quarter of the samples, on another side per seed.
    run = make({"samples": samples})
    np.testing.assert_array_equal(run_checks.lighter_mode(run, 2.0), 0.25)
    samples[1] = 5.0
    np.testing.assert_array_equal(run_checks.lighter_mode(run, 2.0), [0.25, 0])

  def test_valley_is_within_one_of_zero(self):
    samples = np.full([2, 8, 4, 1], 3.0)
    samples[:, 6:, 0] = -0.9
    samples[:, :6] = 0.0
    valley = run_checks.valley(make({"samples": samples}))
    np.testing.assert_array_equal(valley, 0.25)

  def test_noise_and_crossings_of_the_second_half(self):
    # Logs 4 to 7: 1, 3, 1, 3 about 2, and a drift 0, 1, 2, 3 about 1.5.
    values = np.array([[9, 9, 9, 9, 1, 3, 1, 3], [9, 9, 9, 9, 0, 1, 2, 3.0]])
    run = make(metrics={"a": values})
    np.testing.assert_allclose(
      run_checks.noise(run, "a"), [1, np.sqrt((2.25 + 0.25) / 2)]
    )
    np.testing.assert_array_equal(run_checks.crossings(run, "a"), [3, 1])

  @parameterized.parameters((2.2, True), (1.8, False))
  def test_noise_is_compared_with_twice_the_other(self, factor, passed):
    values = 0.5 + 0.01 * np.array([[1, -1] * 4, [1.001, -1.001] * 4])
    runs, others = (
      {"plain": make(metrics={"discriminator_real": scale * values})}
      for scale in (factor, 1)
    )
    (check,) = run_checks.noisier(runs, others, "discriminator_real")
    self.assertEqual(check.passed, passed, check)

  @parameterized.parameters(
    # A period of two logs, in per cent of the mean.
    (2, 2, [True, True]),
    (0.5, 2, [False, True]),
    # A drift over all 20 logs.
    (2, 40, [True, False]),
  )
  def test_oscillation(self, percent, period, passed):
    wave = np.cos(2 * np.pi * (np.arange(40) + 0.5) / period)
    wave /= wave[20:].std()
    values = np.array([[1.0], [1.001]]) * (1 + percent / 100 * wave)
    checks = run_checks.oscillates(make(metrics={"generated_stddev": values}))
    self.assertEqual([check.passed for check in checks], passed, checks)

  @parameterized.parameters((0.19, True), (0.225, False), (0.24, False))
  def test_dropout_narrows_the_gap(self, of_dropout, passed):
    def run(gap):
      real = np.repeat([[0.5], [0.6]], 8, axis=1)
      return make(
        metrics={
          "discriminator_real": real + gap,
          "discriminator_fake": real,
        }
      )

    others = dict.fromkeys(("dropout", "L2 and dropout"), run(of_dropout))
    checks = run_checks.smaller_gap({"plain": run(0.229), **others})
    self.assertEqual([check.passed for check in checks], [passed, passed])

  def test_discriminator_uses_the_nearest_point(self):
    values = np.zeros([2, 8, 3])
    values[:, 6:, 1] = 0.75
    run = make({"x": np.array([-4.0, 0.1, 4.0]), "discriminator": values})
    for point, expected in ((0.0, 0.75), (-3.0, 0.0)):
      np.testing.assert_array_equal(
        run_checks.discriminator_at(run, point), expected
      )

  @parameterized.parameters(
    ([0.5, 0.501], True),
    ([0.3, 0.3], False),
    # Seeds that learn nothing are near 1/2 on average only.
    ([0.4, 0.6], False),
    ([0.5, np.nan], False),
  )
  def test_fooled_discriminator(self, per_seed, passed):
    values = np.repeat(np.array(per_seed)[:, None], 8, axis=1)
    run = make(metrics={"discriminator_real": values})
    check = run_checks.fooled(run, "discriminator_real", 0.02)
    self.assertEqual(check.passed, passed)

  @parameterized.parameters(
    (0.02, 0.5, [True, True]),
    (0.13, 0.5, [True, False]),  # The samples are like a linear generator's.
    (4 * 0.0152, 0.5, [True, False]),  # Four times what was measured.
    (0.02, 0.0, [False, True]),  # A mode is lost.
  )
  def test_perceptron_must_beat_a_linear_generator(self, jsd, share, passed):
    samples = np.where(np.arange(4) < 4 * share, -3.0, 3.0)
    run = make(
      {"samples": np.broadcast_to(samples[:, None], [2, 8, 4, 1])},
      {"jensen_shannon": np.full([2, 8], jsd)},
    )
    (figure,) = (
      each for each in distributions.REPRODUCTIONS if each.id == "habr_fig19"
    )
    runs = dict.fromkeys(figure.trainings, run)
    checks = figure.compute(Inputs(runs)).checks
    chosen = [
      next(check.passed for check in checks if check.name.startswith(name))
      for name in ("share of the lighter", "Jensen-Shannon divergence over")
    ]
    self.assertEqual(chosen, passed)


if __name__ == "__main__":
  absltest.main()
