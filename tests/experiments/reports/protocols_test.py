"""Which runs were measured alike."""

from absl.testing import absltest, parameterized

from experiments.configs.registry import BY_NAME
from experiments.reports import protocols

MNIST = {
  "features": "classes of mnist 12",
  "features_accuracy": 0.99,
  "dataset": "mnist",
  "generated_images": 2000,
  "neighbours": 5,
}


def of(experiment, protocol=None, **values):
  settings = BY_NAME[experiment].settings.replace(**values)
  return protocols.comparable(experiment, settings, protocol or {})


class ProtocolsTest(parameterized.TestCase):
  @parameterized.parameters(
    # Settings of the training do not matter.
    (of("ring"), of("ring", batch_size=7, loss="hinge"), ""),
    (
      of("ring"),
      of("ring", evaluation_samples=9),
      "evaluation samples is 2500 in A, 9 in B",
    ),
    (
      of("ring"),
      of("ring", num_modes=3, radius=2.5),
      "num modes is 8 in A, 3 in B; radius is 1 in A, 2.5 in B",
    ),
    (
      of("normal"),
      of("normal", input_mean=(1.0, 2.0)),
      "input mean is 15 in A, 1,2 in B",
    ),
    # Without measured samples there is no protocol.
    (
      of("dcgan_mnist", dataset="folder", data_dir="photos"),
      of("dcgan_mnist", dataset="fashion_mnist"),
      "dataset is folder in A, fashion_mnist in B",
    ),
    (of("ring"), of("grid"), "dataset is ring in A, grid in B"),
    (of("dcgan_mnist", MNIST), of("conditional_mnist", MNIST), ""),
    (
      of("dcgan_mnist", MNIST),
      of("dcgan_mnist", {**MNIST, "features_accuracy": 0.98999}),
      "",
    ),
    (
      of("dcgan_mnist", MNIST),
      of("dcgan_mnist", {**MNIST, "neighbours": 3}),
      "neighbours is 5 in A, 3 in B",
    ),
    (
      of("ring"),
      of("dcgan_mnist", MNIST),
      "dataset is ring in A, mnist in B",
    ),
    (
      of("dcgan_mnist", MNIST),
      of("dcgan_mnist", {"dataset": "mnist"}),
      "they are measured by different networks or on different data",
    ),
  )
  def test_the_difference_in_one_line(self, first, second, expected):
    self.assertEqual(
      protocols.differences([first, second], ["A", "B"]), expected
    )

  def test_metrics_of_players_say_nothing_of_samples(self):
    for name in ("score", "critic_distance", "average_recall"):
      self.assertTrue(protocols.measures_samples(name))
    for name in ("generator_cost", "critic_real", "discriminator_norm"):
      self.assertFalse(protocols.measures_samples(name))


if __name__ == "__main__":
  absltest.main()
