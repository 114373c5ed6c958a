"""The tables of README and docs are those of the kept measurements."""

import json
import tempfile
from pathlib import Path
from unittest import mock

from absl.testing import absltest, parameterized

from benchmarks import result_tables, results, speed_tables
from benchmarks import run as benchmarks_run
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
REPORT = {
  "date": "2026-01-02",
  "seconds": 600,
  "machine": {
    "device": KEPT["device"],
    "git_commit": KEPT["git_commit"],
    "load_average": [0.25, 0.5, 1.0],
  },
  "versions": {**KEPT["versions"], "torch": "2.13.0"},
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
      self.assertEqual(results.fill(text), text, str(path))
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
          "seconds": 60,
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

  def test_runs_show_what_is_scored_and_images_their_time(self):
    table = result_tables.Table(
      "images",
      ("run", "time", "early", "recall", "accuracy"),
      (
        result_tables.Row(
          "`faces`",
          "",
          (
            "{minutes} min",
            "{early_frechet_distance} at step {early_step}",
            "{recall}",
            "{protocol_features_accuracy}",
          ),
          (),
        ),
      ),
      1,
    )
    row = {
      "steps": 100,
      "seconds": 840,
      "protocol": {"features": "a network", "features_accuracy": 0.9931},
      "early": {
        "step": 200,
        "frechet_distance": 600.0,
        "average_frechet_distance": 476.21,
      },
      # One seed has no interval.
      "metrics": {
        name: {"mean": value, "ci95": None, "per_seed": [value]}
        for name, value in (("average_recall", 0.5), ("recall", 0.7))
      },
    }
    with mock.patch.dict(result_tables.TABLES, {"images": table}):
      text = result_tables.write_table("images", {**KEPT, "rows": [row]})
    self.assertEqual(
      text.splitlines()[-1],
      "| `faces` | 14 min | 476 at step 200 | 0.5 | 0.993 |",
    )

  def test_the_suites_of_the_tables_are_those_of_the_command(self):
    self.assertCountEqual(result_tables.SUITES.values(), benchmarks_run.SUITES)
    for name in result_tables.COMPARISON:
      self.assertIn(name, result_tables.SUITES)

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
    bound = {
      "game": "toy",
      "batch_size": 64,
      "flops_per_step": 19_300_352,
      "products": "2048 x 2048",
      "gflops": 202.0,
      "steps_per_second": 10465.0,
      "reached": {"gan_jax": 0.566},
    }
    missing = {
      "game": "toy",
      "name": "pytorch_compiled",
      "batch_size": 64,
      "reason": "no compiler",
    }
    kept = {
      **REPORT,
      "reference": "pytorch_eager",
      "rows": [row],
      "ratios": ratios,
      "missing": [missing],
      "bounds": [bound],
    }
    text = result_tables.write_table("speed_toy", kept)
    self.assertStartsWith(
      text,
      "Measured on 2026-01-02 on 2 x cpu (some processor), Python 3.11.7, jax "
      "0.10.2, PyTorch 2.13.0, commit 0123456, in 10 minutes, with a load "
      "average of 0.25 before.\n\n`toy`, batch 64:\n\n| implementation |",
    )
    for line in (
      "| gan_jax | simultaneous | 8 | 5,925 | 1.85 | - | 2.38 | - | 501 |",
      "`pytorch_compiled` is missing from `toy` at batch 64: no compiler.",
      "| `toy` | 64 | 19.3 | 2048 x 2048 | 202 | 10,465 | gan_jax 57% |",
    ):
      self.assertIn(line, text.splitlines())

  def test_a_step_has_the_bytes_of_its_parameters(self):
    row = {
      "game": "MLP",
      "parameters": 34_179,
      "flops": 19_300_352,
      "step_seconds": 0.000306,
    }
    kept = {**REPORT, "product_gflops": 200.4, "rows": [row]}
    text = result_tables.write_table("speed_scaling", kept)
    # 3 and 1 arrays of 4 bytes for each parameter; 19.3 MFLOP in 0.306 ms.
    self.assertIn(
      "| MLP | 34,179 | 0.0193 | 0.41 | 0.137 | 0.306 | 63.1 |",
      text.splitlines(),
    )
    self.assertEndsWith(text, " runs at 200 GFLOP/s.")

  def test_a_checkpoint_a_minute_costs_a_share_of_the_time(self):
    row = {
      "game": "ring",
      "turns": 24,
      "turn_seconds": 5.0,
      "save_seconds": 0.17,
      "cost_seconds": [0.05, 0.06, 0.09],
    }
    text = result_tables.write_table(
      "speed_checkpoints", {**REPORT, "rows": [row]}
    )
    self.assertEqual(
      text.splitlines()[-1], "| ring | 24 | 170 | 60 (50 to 90) | 0.10% |"
    )

  def test_the_short_table_compares_with_the_fastest_pytorch(self):
    self.keep_speeds()
    page = "<!-- results: speed -->\nold\n<!-- end -->\n"
    with mock.patch.object(results, "KEPT", self.folder):
      lines = results.fill(page).splitlines()
      (self.folder / "speed_sweep.json").unlink()
      self.assertEqual(results.fill(page), page)
    self.assertIn("| DCGAN, 64 x 64 x 3 | 1.5 | 1.25 |", lines)
    # 64 trials of 8,000 steps in 128 s; PyTorch needs 400 s at best.
    self.assertIn("| a sweep of 64 runs of the ring | 4,000 | 3.12 |", lines)

  def keep_speeds(self):
    """Keeps reports in which every speed is 1.5 and every ratio 1.25."""
    for suite, rows in (
      ("toy", speed_tables.RING_ROWS),
      ("dcgan", speed_tables.IMAGE_ROWS),
    ):
      pairs = [
        *rows.values(),
        *((game, "pytorch") for game, _ in rows.values()),
      ]
      ratios = {
        game: {"64": {"best_pytorch": "pytorch", "contestants": {}}}
        for game, _ in pairs
      }
      for game, name in pairs:
        contestants = ratios[game]["64"]["contestants"]
        contestants[name] = {"to_best_pytorch": 1.25}
      report = {
        **REPORT,
        "suite": suite,
        "ratios": ratios,
        "rows": [
          {"game": g, "name": n, "batch_size": b, "steps_per_second": speed}
          for g, n in dict.fromkeys(pairs)
          for b, speed in ((64, 1.5), (512, 7.0))
        ],
      }
      (self.folder / f"speed_{suite}.json").write_text(json.dumps(report))
    seconds = {"gan_jax, packed": 128, "pytorch_textbook, 1 at a time": 1000,
               "pytorch_economical, 2 at a time": 400}  # fmt: skip
    report = {
      **REPORT,
      "suite": "sweep",
      "trials": 64,
      "steps": 8000,
      "rows": [{"name": n, "seconds": s} for n, s in seconds.items()],
    }
    (self.folder / "speed_sweep.json").write_text(json.dumps(report))

  def test_missing_data_are_refused_at_once(self):
    (self.folder / "mnist").mkdir()
    with (
      mock.patch.object(results, "_measure") as measure,
      self.assertRaisesRegex(
        UsageError, "^images need --data_dir.* lacks fashion_mnist, cifar10"
      ) as caught,
    ):
      results.run(["run", "--only=line,images", f"--data_dir={self.folder}"])
    measure.assert_not_called()
    self.assertNotIn("\n", str(caught.exception))

  def test_a_failure_stops_no_other_measurement(self):
    def measure(suite):
      if suite == "toy":
        raise UsageError("the suite toy failed")
      return {"suite": suite}

    (self.folder / "speed_toy.json").write_text("kept")
    with (
      mock.patch.object(results, "KEPT", self.folder),
      mock.patch.object(results, "_measure_speed", measure),
      mock.patch.object(results, "_rewrite_pages"),
    ):
      code = results.run(["run", "--only=speed_toy,speed_dcgan"])
    self.assertEqual(code, 1)
    self.assertEqual((self.folder / "speed_toy.json").read_text(), "kept")
    dcgan = json.loads((self.folder / "speed_dcgan.json").read_text())
    self.assertEqual(dcgan["suite"], "dcgan")
    self.assertLessEqual({"date", "seconds"}, set(dcgan))

  def test_a_crash_of_the_figures_is_no_result(self):
    with (
      mock.patch.object(results, "_command", return_value=1) as command,
      self.assertRaisesRegex(UsageError, "not drawn: .*disjoint_lines"),
    ):
      results._measure_figures(self.folder)
    self.assertIn(f"--runs={self.folder}", command.call_args.args)

  @parameterized.parameters(
    "<!-- results: nonsense -->\n<!-- end -->", "<!-- results: plane -->\n"
  )
  def test_a_wrong_marker_is_refused(self, text):
    with self.assertRaisesRegex(UsageError, "unknown or open table"):
      results.fill(text)


if __name__ == "__main__":
  absltest.main()
