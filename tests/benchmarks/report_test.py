"""Tests of the ratios and the printed tables."""

import contextlib
import io

from absl.testing import absltest

from benchmarks import report


def row(name, batch_size, rounds, game="a_game", **kwargs):
  return report.Row(
    game=game,
    name=name,
    update="simultaneous",
    batch_size=batch_size,
    num_seeds=1,
    variant="",
    steps_per_second=sorted(rounds)[len(rounds) // 2],
    rounds=rounds,
    by_variant={"": sorted(rounds)[len(rounds) // 2]},
    first_step_seconds=0.5,
    restart_seconds=None,
    peak_memory_mib=300.0,
  )._replace(**kwargs)


ROWS = (
  row("pytorch_eager", 64, (100.0, 200.0, 400.0)),
  row("pytorch_compiled", 64, (200.0, 250.0, 400.0)),
  row("gan_jax", 64, (1000.0, 1000.0, 1200.0)),
  row("pytorch_eager", 512, (20.0, 20.0, 20.0)),
  row(
    "gan_jax",
    512,
    (10.0, 10.0, 10.0),
    first_step_seconds=None,
    peak_memory_mib=None,
  ),
  row("pytorch_eager", 64, (2.0, 2.0, 2.0), "another"),
  row("gan_jax", 64, (6.0, 6.0, 6.0), "another", restart_seconds=0.125),
  row(
    "pytorch_other",
    64,
    (0.0625,),
    "a_third",
    by_variant={"one": 0.0625, "two": 0.03125},
  ),
)


class RatiosTest(absltest.TestCase):
  def test_ratios(self):
    compared, another, third = report.ratios(ROWS, "pytorch_eager").values()
    self.assertEqual(list(compared), ["64", "512"])
    # Compiled PyTorch is the fastest: its median is 250, that of eager is 200.
    # The ratios to compiled are 5, 4, 3, and to eager 10, 5, 3.
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
    # The third game has no reference.
    self.assertEqual(
      third["64"]["contestants"]["pytorch_other"], {"to_best_pytorch": 1.0}
    )

  def test_bound(self):
    # 50e9 operations per second are 25,000 steps of 2e6.
    bound = report.bound(ROWS[:3:2], 2_000_000, "2048 x 2048", 50e9)
    self.assertEqual(bound.game, "a_game")
    self.assertEqual(bound.batch_size, 64)
    self.assertEqual(bound.gflops, 50.0)
    self.assertEqual(bound.steps_per_second, 25_000.0)
    self.assertEqual(bound.reached, {"pytorch_eager": 0.008, "gan_jax": 0.04})

  def test_the_tables_cut_nothing_off(self):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
      report.print_report(
        {
          "suite": "toy",
          "machine": {"device": "a device", "load_average": (0.25, 0.5, 1)},
          "rows": [entry._asdict() for entry in ROWS],
          "missing": [
            {
              "game": "another",
              "name": "pytorch_x",
              "batch_size": 512,
              "reason": "no [g++]",
            }
          ],
          "reference": "pytorch_eager",
          "ratios": report.ratios(ROWS, "pytorch_eager"),
          "bounds": [
            report.bound(ROWS[:3:2], 2_000_000, products, 50e9)._asdict()
            for products in ("2048 x 2048", "the step's shapes")
          ],
        }
      )
    text = out.getvalue()
    self.assertNotIn("…", text)
    for part in (
      *("a_game, batch 512", "another, batch 64", "missing from another"),
      *("a device", "0.25", "pytorch_compiled", "simultaneous", "1,000"),
      *("5.00", "0.50", "300", "no [g++]", "2.0", "25,000", "50"),
      *("2048 x 2048", "the step's shapes", "pytorch_eager 1%, gan_jax 4%"),
      *("0.12 ", "one 0.0625", "two 0.0312", "to pytorch "),
    ):
      self.assertIn(part, text)


if __name__ == "__main__":
  absltest.main()
