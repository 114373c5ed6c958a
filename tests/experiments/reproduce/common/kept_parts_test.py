"""Parts of a figure are computed once, and anew if they are damaged."""

import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np
from absl.testing import absltest, parameterized

from experiments.reproduce.common.kept_parts import KeptParts

SETTINGS = {"steps": 3, "seeds": [0, 1], "penalty": ("r1",)}


class KeptPartsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / "new"
    self.stopped = False
    self.computed = 0
    self.said = self.enterContext(contextlib.redirect_stderr(io.StringIO()))

  def keep(self, settings=SETTINGS):
    def compute():
      self.computed += 1
      return {"modes": np.arange(6.0).reshape(2, 3), "failed": np.eye(2) > 0}

    parts = KeptParts(self.folder, lambda: self.stopped)
    arrays = parts("ring", settings, compute)
    self.assertCountEqual(arrays, ["modes", "failed"])
    np.testing.assert_array_equal(arrays["modes"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(arrays["failed"], np.eye(2))

  def test_a_part_is_computed_once(self):
    self.keep()
    self.keep()
    self.assertEqual(self.computed, 1)
    self.assertIn(f"loads {self.folder / 'ring.npz'}", self.said.getvalue())

  def test_other_settings_are_another_part(self):
    self.keep()
    self.keep({**SETTINGS, "steps": 4})
    self.assertEqual(self.computed, 2)
    self.assertIn("has other settings", self.said.getvalue())

  @parameterized.parameters(b"", b"PK", b"not a zip", None)
  def test_a_damaged_part_is_computed_again(self, content):
    self.keep()
    path = self.folder / "ring.npz"
    path.write_bytes(path.read_bytes()[:-30] if content is None else content)
    self.keep()
    self.assertEqual(self.computed, 2)
    self.assertIn("is damaged; it is computed again", self.said.getvalue())
    self.keep()
    self.assertEqual(self.computed, 2)

  def test_an_interruption_keeps_what_is_done(self):
    self.keep()
    self.stopped = True
    self.keep()
    with self.assertRaises(KeyboardInterrupt):
      self.keep({**SETTINGS, "steps": 4})
    self.assertEqual(self.computed, 1)


if __name__ == "__main__":
  absltest.main()
