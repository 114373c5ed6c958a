"""Tests of the ratios and of the printed tables."""

import contextlib
import io

from absl.testing import absltest

from benchmarks import report


def row(name, batch_size, rounds, game="a_game"):
  return report.Row(
    game=game,
    name=name,
    update="simultaneous",
    batch_size=batch_size,
    num_seeds=1,
    threads=2,
    steps_per_second=sorted(rounds)[1],
    rounds=rounds,
    by_threads={2: sorted(rounds)[1]},
    first_step_seconds=0.5,
    peak_memory_mib=300.0,
  )


ROWS = (
  row("pytorch_eager", 64, (100.0, 200.0, 400.0)),
  row("pytorch_compiled", 64, (200.0, 250.0, 400.0)),
  row("gan_jax", 64, (1000.0, 1000.0, 1200.0)),
  row("pytorch_eager", 512, (20.0, 20.0, 20.0)),
  row("gan_jax", 512, (10.0, 10.0, 10.0)),
  row("pytorch_eager", 64, (2.0, 2.0, 2.0), "another"),
  row("gan_jax", 64, (6.0, 6.0, 6.0), "another"),
)


class RatiosTest(absltest.TestCase):
  def test_ratios(self):
    compared, another = report.ratios(ROWS).values()
    self.assertEqual(list(compared), ["64", "512"])
    # To the compiled contestant, median 250 against 200: 5, 4, 3. To the eager
    # one: 10, 5, 3.
    self.assertEqual(compared["64"]["best_pytorch"], "pytorch_compiled")
    self.assertEqual(
      compared["64"]["contestants"]["gan_jax"],
      {"to_best_pytorch": 4.0, "to_pytorch_eager": 5.0},
    )
    self.assertEqual(compared["512"]["best_pytorch"], "pytorch_eager")
    self.assertEqual(
      compared["512"]["contestants"]["gan_jax"],
      {"to_best_pytorch": 0.5, "to_pytorch_eager": 0.5},
    )
    self.assertEqual(
      another["64"]["contestants"]["gan_jax"],
      {"to_best_pytorch": 3.0, "to_pytorch_eager": 3.0},
    )

  def test_nothing_is_cut_from_the_tables(self):
    bound = {
      "flops_per_step": 2_000_000,
      "step_gflops": 50.0,
      "steps_per_second_at_peak": 50_000.0,
      "steps_per_second_at_step_shapes": 25_000.0,
      "reached": {"gan_jax": {"of_peak": 0.02, "of_step_shapes": 0.04}},
    }
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
      report.print_report(
        {
          "suite": "toy",
          "machine": {"device": "a device", "load_average": (0.25, 0.5, 1)},
          "rows": [own._asdict() for own in ROWS],
          "missing": [
            {
              "game": "another",
              "name": "pytorch_x",
              "batch_size": 512,
              "reason": "no [g++]",
            }
          ],
          "ratios": report.ratios(ROWS),
          "floor": {
            "peak_width": 2048,
            "peak_gflops": 100.0,
            "batches": {"64": bound},
          },
        }
      )
    text = out.getvalue()
    self.assertNotIn("…", text)
    for part in (
      *("a_game, batch 512", "another, batch 64", "missing from another"),
      *("a device", "0.25", "pytorch_compiled", "simultaneous", "1,000"),
      *("5.00", "0.50", "300", "no [g++]", "2.0", "50,000", "25,000"),
      *("2048 x 2048", "gan_jax 2%", "gan_jax 4%"),
    ):
      self.assertIn(part, text)


if __name__ == "__main__":
  absltest.main()
