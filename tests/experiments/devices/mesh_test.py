"""Tests which values of --mesh are allowed, and which devices they choose."""

from unittest import mock

import jax
from absl.testing import absltest, parameterized

from experiments.configs.registry import BY_NAME
from experiments.devices import environment, mesh
from experiments.devices.environment import PlatformError
from experiments.devices.mesh import Wanted
from experiments.errors import SettingError
from gan_jax import sharding

SETTINGS = BY_NAME["ring"].settings.replace(batch_size=12)


class MeshTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    # The tests start JAX with two devices; it cannot be configured again.
    self.configure = self.enter_context(
      mock.patch.object(environment, "configure")
    )

  @parameterized.parameters(
    ("auto", Wanted(sharding.MEMBERS, 0)),
    ("members:3", Wanted(sharding.MEMBERS, 3)),
    ("data:8", Wanted(sharding.DATA, 8)),
  )
  def test_a_parsed_value_prints_as_given(self, text, wanted):
    self.assertEqual(mesh.parse_mesh(text), wanted)
    self.assertEqual(str(wanted), text)

  @parameterized.parameters(
    "", "data", "data:", "data:0", "data:-1", "data:all", "model:2", "data:1e9"
  )
  def test_other_values_are_refused(self, text):
    with self.assertRaisesRegex(SettingError, "auto, members:N or data:N"):
      mesh.parse_mesh(text)

  @parameterized.parameters(
    ("data:5", "cannot divide --batch_size=12 among 5 devices"),
    ("members:4", "more devices than there are seeds, 3; --mesh=data:4"),
  )
  def test_devices_must_divide(self, text, message):
    with self.assertRaisesRegex(SettingError, message):
      mesh.choose_layout("cpu", mesh.parse_mesh(text), SETTINGS, 3)
    self.configure.assert_not_called()

  def test_devices_divide_packs_not_samples(self):
    packed = SETTINGS.replace(packing=2)
    with self.assertRaisesRegex(SettingError, "=12 packs among 8 devices"):
      mesh.choose_layout("cpu", mesh.parse_mesh("data:8"), packed, 3)

  def test_a_cpu_has_the_requested_number_of_devices(self):
    layout = mesh.choose_layout("cpu", mesh.parse_mesh("data:2"), SETTINGS, 1)
    self.configure.assert_called_once_with(2)
    self.assertEqual(layout, (jax.devices()[:2], sharding.DATA))

  def test_too_few_devices_are_refused(self):
    with self.assertRaisesRegex(
      PlatformError, "--mesh=data:4 needs 4 devices, and there are 2 of cpu"
    ):
      mesh.choose_layout("cpu", mesh.parse_mesh("data:4"), SETTINGS, 1)


if __name__ == "__main__":
  absltest.main()
