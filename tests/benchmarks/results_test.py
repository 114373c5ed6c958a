"""The tables of README and docs are those of the kept measurements."""

import json
import tempfile
from pathlib import Path
from unittest import mock

from absl.testing import absltest, parameterized

from benchmarks import result_tables, results
from experiments import run
from experiments.cli import flags
from experiments.configs.registry import EXPERIMENTS
from experiments.errors import UsageError


def entry(mean, ci95=None):
  return {"mean": mean, "ci95": ci95, "per_seed": []}


KEPT = {
  "date": "2026-01-02",
  "seconds": 600,
  "device": "2 x cpu (some processor)",
  "versions": {"python": "3.11.7", "jax": "0.10.2"},
  "git_commit": "0123456789abcdef",
  "seeds": [0, 1],
}


class ResultsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.folder = Path(folder.name)

  def test_pages_show_what_is_kept(self):
    texts = {path: path.read_text() for path in results.pages()}
    for path, text in texts.items():
      self.assertEqual(results.fill(text), text, path)
    for kept in results.KEPT.glob("*.json"):
      self.assertIn(f"<!-- results: {kept.stem} -->", "".join(texts.values()))

  @parameterized.parameters(*result_tables.TABLES.values())
  def test_runs_have_valid_flags(self, name, headers, rows, num_seeds):
    for row in rows:
      cells = [row.label, *([row.claim] if row.claim else []), *row.measured]
      self.assertLen(cells, len(headers), name)
      flags.read_command_line(
        ["run", *row.flags, f"--num_seeds={num_seeds}"],
        run.RunOptions,
        EXPERIMENTS,
        run.USAGE,
      )

  def test_another_number_is_another_table(self):
    table = result_tables.Table(
      "plane",
      ("run", "claim", "measured"),
      (result_tables.Row("`ring`", "8 modes", ("{modes_covered}",), ()),),
      2,
    )
    page = "before\n<!-- results: plane -->\nold\n<!-- end -->\nafter\n"
    with (
      mock.patch.object(results, "KEPT", self.folder),
      mock.patch.dict(result_tables.TABLES, {"plane": table}),
    ):
      self.assertEqual(results.fill(page), page)
      shown = []
      for modes in (7.5, 8.0):
        row = {
          "steps": 100,
          "protocol": {},
          "early": {},
          "metrics": {"modes_covered": entry(modes, 0.25)},
        }
        (self.folder / "plane.json").write_text(
          json.dumps({**KEPT, "rows": [row]})
        )
        shown.append(results.fill(page))
    self.assertEqual(
      shown[0],
      "before\n<!-- results: plane -->\n"
      "Seeds 0 to 1, mean ± 95 % interval over seeds, default settings, at the "
      "last step. Measured on 2026-01-02 on 2 x cpu (some processor), Python "
      "3.11.7, jax 0.10.2, commit 0123456, in 10 minutes.\n\n"
      "| run | claim | measured |\n"
      "| --- | --- | --- |\n"
      "| `ring` | 8 modes | 7.5 ± 0.25 |\n"
      "<!-- end -->\nafter\n",
    )
    self.assertEqual(shown[1], shown[0].replace("7.5 ±", "8 ±"))

  def test_figures_name_the_checks_that_fail(self):
    figures = {
      "one": {"checks": 3, "failed": []},
      "two": {"checks": 4, "failed": ["the slope"]},
    }
    text = result_tables.write_table("figures", {**KEPT, "figures": figures})
    self.assertStartsWith(
      text,
      "`--figure=all` draws 2 figures with 7 checks. These failed: `two`: the "
      "slope. Measured",
    )

  def test_speed_has_a_table_for_each_batch_size(self):
    row = {
      "game": "toy",
      "name": "gan_jax",
      "update": "simultaneous",
      "batch_size": 64,
      "num_seeds": 8,
      "steps_per_second": 5925.4,
      "first_step_seconds": 2.375,
      "restart_seconds": None,
      "peak_memory_mib": 501.2,
    }
    ratios = {
      "toy": {"64": {"contestants": {"gan_jax": {"to_best_pytorch": 1.854}}}}
    }
    kept = {
      "date": "2026-01-02",
      "seconds": 600,
      "machine": KEPT,
      "reference": "pytorch_eager",
      "rows": [row],
      "ratios": ratios,
    }
    text = result_tables.write_table("speed_toy", kept)
    self.assertEqual(
      text.splitlines()[-1],
      "| gan_jax | simultaneous | 8 | 5,925 | 1.85 | - | 2.38 | - | 501 |",
    )

  @parameterized.parameters(
    "<!-- results: nonsense -->\n<!-- end -->", "<!-- results: plane -->\n"
  )
  def test_a_wrong_marker_is_refused(self, text):
    with self.assertRaisesRegex(UsageError, "unknown or open table"):
      results.fill(text)


if __name__ == "__main__":
  absltest.main()
