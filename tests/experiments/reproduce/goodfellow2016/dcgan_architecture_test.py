"""The traced layers are those of the networks, in their order."""

from absl.testing import absltest

from experiments.reproduce.common.figure import Inputs
from experiments.reproduce.goodfellow2016 import dcgan_architecture
from gan_jax.networks import dcgan

NETWORKS = dcgan_architecture.NETWORKS


class DCGANArchitectureTest(absltest.TestCase):
  def test_layers_of_a_small_generator_by_hand(self):
    # 5 latents; 2 x 2 x 6 and 4 x 4 x 3 hidden maps; 8 x 8 grey images.
    network = dcgan_architecture.Network(
      dcgan.Generator(size=8, channels=1, depth=2, filters=3), (5,), (), ()
    )
    self.assertEqual(
      dcgan_architecture.trace(network),
      [
        ((2, 2, 6), 5 * 24, 12),
        ((4, 4, 3), 16 * 6 * 3, 6),
        ((8, 8, 1), 16 * 3, 0),
      ],
    )

  def test_numbers_of_the_article(self):
    # Sums of the sizes of the PyTorch modules, by hand.
    drawn = dcgan_architecture.compute(Inputs()).drawn
    counts = {
      name: dcgan_architecture.count(layers) for name, layers in drawn.items()
    }
    self.assertEqual(
      counts,
      {
        "generator": 3_576_704,
        "generator of the paper": 12_658_432,
        "discriminator": 2_765_568,
      },
    )

  def test_other_networks_fail(self):
    generator = NETWORKS["generator"]
    for module in (
      generator.module.clone(normalize=None),
      generator.module.clone(normalize=dcgan.layer_normalized),
      generator.module.clone(channels=1),
      generator.module.clone(filters=32),
      generator.module.clone(depth=3),
    ):
      checks = dcgan_architecture.check_network(
        "x", generator._replace(module=module)
      )
      self.assertIn(False, [check.passed for check in checks], module)
    # Its first layer has no batch normalisation.
    discriminator = NETWORKS["discriminator"]
    checks = dcgan_architecture.check_network(
      "x", discriminator._replace(normalized=(True,) * 4 + (False,))
    )
    self.assertEqual([check.passed for check in checks].count(False), 2)


if __name__ == "__main__":
  absltest.main()
