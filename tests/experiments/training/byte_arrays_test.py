"""Arrays come back from their bytes as they were, and from no others."""

import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from experiments.training import byte_arrays

TREE = {
  # Bits that a conversion would lose: of a NaN, and the sign of a zero.
  "costs": np.array([0x7FC01234, 0x80000000], np.uint32).view(np.float32),
  "count": np.int32(7),
  "done": np.array([True, False, True]),
  "half": np.asarray(jnp.array([1.5, -2.0], jnp.bfloat16)),
  "kernel": np.arange(12, dtype=np.float32).reshape(2, 3, 2).transpose(1, 0, 2),
  "none": (),
  "nothing": np.zeros((0, 4), np.float32),
}
"""A number of one byte is in the middle, so that others begin anywhere."""


def structure_of(tree):
  return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)


class PackingTest(parameterized.TestCase):
  def test_every_bit_comes_back(self):
    packed = byte_arrays.pack(TREE)
    # 2 * 4 + 4 + 3 + 2 * 2 + 12 * 4 + 0
    chex.assert_shape(packed, (67,))
    chex.assert_type(packed, np.uint8)
    found = json.loads(json.dumps(byte_arrays.layout(TREE)))
    tree = byte_arrays.unpack(packed, found, structure_of(TREE))
    chex.assert_trees_all_equal_structs(tree, TREE)
    chex.assert_trees_all_equal_shapes_and_dtypes(tree, TREE)
    for own, before in zip(
      jax.tree.leaves(tree), jax.tree.leaves(TREE), strict=True
    ):
      self.assertEqual(own.tobytes(), before.tobytes())
      self.assertTrue(own.flags.aligned and own.flags.writeable)

  def test_what_they_mean_is_said(self):
    self.assertEqual(
      byte_arrays.layout(structure_of(TREE)), byte_arrays.layout(TREE)
    )
    self.assertEqual(
      byte_arrays.layout({"kernel": [TREE["kernel"]]}),
      [["['kernel'][0]", "float32", [3, 2, 2]]],
    )

  @parameterized.parameters(
    (
      {"count": np.array([7], np.int32)},
      r"\['count'\] of int32\[\], not .* int32\[1\]",
    ),
    ({"count": np.uint32(7)}, r"\['count'\] of int32\[\], not .* uint32\[\]"),
    ({"more": np.zeros(1)}, r"it has \['nothing'\].*, not \['more'\]"),
    ({"zero": np.zeros(1)}, "it has 6 arrays, not 7"),
  )
  def test_other_arrays_are_refused(self, other, message):
    with self.assertRaisesRegex(byte_arrays.LayoutError, message):
      byte_arrays.unpack(
        byte_arrays.pack(TREE),
        byte_arrays.layout(TREE),
        structure_of(TREE | other),
      )

  def test_too_few_bytes_are_refused(self):
    with self.assertRaisesRegex(
      byte_arrays.LayoutError, "it has 66 bytes, not 67"
    ):
      byte_arrays.unpack(
        byte_arrays.pack(TREE)[:-1],
        byte_arrays.layout(TREE),
        structure_of(TREE),
      )


if __name__ == "__main__":
  absltest.main()
