"""The README is short, names what there is, and its Python examples run."""

import re
from pathlib import Path

from absl.testing import absltest

from gan_jax.data import densities

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
LINKS = re.compile(r"\]\(((?!http)[^)#]+)\)")
"""The target of a link or picture."""
EXAMPLES = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NUMBERS_OF_STEPS = {"steps=8000": "steps=4", "range(1000)": "range(4)"}


class ReadmeTest(absltest.TestCase):
  def test_length(self):
    self.assertLessEqual(len(README.splitlines()), 200)
    self.assertLessEqual(len(README.split()), 1500)

  def test_links(self):
    links = set(LINKS.findall(README))
    self.assertContainsSubset({"docs/strip.webp", "docs/first_run.md"}, links)
    self.assertEmpty([link for link in links if not (ROOT / link).exists()])

  def test_examples(self):
    examples = "\n".join(EXAMPLES.findall(README))
    for many, few in NUMBERS_OF_STEPS.items():
      self.assertEqual(examples.count(many), 1, many)
      examples = examples.replace(many, few)
    names = {}
    exec(compile(examples, "README.md", "exec"), names)

    self.assertEqual(int(names["state"].step), 4)
    self.assertIn("generator_cost", names["metrics"])
    result, covered = names["result"], names["covered"]
    self.assertEqual(result.checkpoint.step, 4)
    self.assertBetween(covered.mean, 0, len(densities.ring().modes))
    self.assertEqual(covered.n, 8)
    self.assertIsNotNone(covered.ci95)
    self.assertEqual(names["samples"].shape, (8, 1000, 2))


if __name__ == "__main__":
  absltest.main()
