"""Logs are read back, and cut off where a run resumes."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from absl.testing import absltest, parameterized

from experiments.run_folder import results, run_logs
from gan_jax.training import Log

SEEDS = (7, 8)


def make_logs():
  """Rows at steps 0, 5 and 10; the slow metric and the frame not in all."""
  # One third has no short decimal: it is to come back to the last bit.
  return [
    Log(0, costs([1 / 3, 2.0]) | {"slow": np.zeros(2)}, (), frame(0)),
    Log(5, costs([np.nan, np.inf]), (), None),
    Log(10, costs([5.0, 6.0]) | {"slow": np.ones(2)}, (), frame(10)),
  ]


def costs(values):
  return {name: np.array(values) for name in sorted(run_logs.COSTS)}


def frame(step):
  return {"samples": np.full((2, 3), step, np.float32), "count": np.ones(2)}


class RunLogsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = Path(self.enterContext(tempfile.TemporaryDirectory()))
    self.logs = make_logs()
    for log in self.logs:
      run_logs.append_log(self.workdir, SEEDS, log, 1.5)

  def cut(self, step):
    kept = [log for log in self.logs if log.step <= step]
    run_logs.cut_logs(self.workdir, step, kept)

  def read(self, **options):
    """Reads the logs, with which nothing is wrong."""
    logs, faults, _ = run_logs.read_logs(self.workdir, SEEDS, **options)
    self.assertEmpty(faults)
    return logs

  def check(self, found, expected):
    self.assertEqual(
      [log.step for log in found], [log.step for log in expected]
    )
    for log, other in zip(found, expected, strict=True):
      self.assertEqual(set(log.metrics), set(other.metrics))
      for name, values in log.metrics.items():
        # An infinite value is not an absent one.
        np.testing.assert_array_equal(values, other.metrics[name])
      self.assertEqual(log.frame is None, other.frame is None)
      for name in log.frame or ():
        np.testing.assert_array_equal(log.frame[name], other.frame[name])

  def test_what_was_logged_is_read_back(self):
    self.check(self.read(), self.logs)

  @parameterized.parameters((-1, 0), (0, 1), (4, 1), (5, 2), (10, 3), (99, 3))
  def test_what_comes_after_a_step_is_cut_off(self, step, num_left):
    self.cut(step)
    self.check(self.read(), self.logs[:num_left])
    for log in self.logs[num_left:]:
      run_logs.append_log(self.workdir, SEEDS, log, 1.5)
    self.check(self.read(), self.logs)

  @parameterized.parameters(b'{"step": 15, "seed": 7, "co', b"{", b"\xc3")
  def test_a_torn_row_is_cut_off(self, torn):
    path = self.workdir / results.METRICS
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    self.cut(10)
    self.assertEqual(path.read_bytes(), whole)

  def test_a_row_of_some_seeds_is_cut_off_with_its_step(self):
    path = self.workdir / results.METRICS
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"step": 15, "seed": 7, "cost": 1.0}\n')
    self.cut(10)
    self.assertEqual(path.read_bytes(), whole)

  @parameterized.named_parameters(
    # What happens to the rows of steps 0, 5 and 10 of seeds 7 and 8, what is
    # said of it, and which step loses the row of seed 8.
    ("lost", lambda rows: rows[:3] + rows[4:], "no row of step 5, seed 8", 5),
    ("torn", lambda rows: [*rows[:3], rows[3][:30], *rows[4:]], "line 4", 5),
    ("text", lambda rows: [*rows[:3], "no row", *rows[4:]], "line 4", 5),
    ("list", lambda rows: [*rows[:3], "[1]", *rows[4:]], "line 4", 5),
    ("no_step", lambda rows: [*rows, '{"seed": 7}'], "line 7", None),
    ("float_step", lambda rows: [*rows, '{"step": 5.0}'], "line 7", None),
    ("swapped", lambda rows: [rows[1], rows[0], *rows[2:]], None, None),
    ("reversed", lambda rows: rows[::-1], None, None),
    ("twice", lambda rows: [*rows, rows[3]], None, None),
    (
      "twice_with_other_values",
      lambda rows: [*rows, rows[1].replace("2.0", "3.0")],
      "step 0, seed 8.* twice",
      0,
    ),
    (
      "another_seed",
      lambda rows: [*rows, rows[0].replace("7", "9")],
      "seed 9",
      None,
    ),
    (
      "words",
      lambda rows: [*rows[:1], rows[1].replace("2.0", '"2"'), *rows[2:]],
      "step 0, seed 8.*damaged",
      0,
    ),
    (
      "no_cost",
      lambda rows: [
        *rows[:1],
        rows[1].replace("discriminator", "d"),
        *rows[2:],
      ],
      "lacks discriminator_cost",
      0,
    ),
  )
  def test_rows_are_read_by_step_and_seed(self, change, message, lost):
    path = self.workdir / results.METRICS
    rows = change(path.read_text().splitlines())
    path.write_text("".join(f"{row}\n" for row in rows))
    found, faults, _ = run_logs.read_logs(self.workdir, SEEDS, until=10)
    if message is None:
      self.assertEmpty(faults)
    else:
      self.assertRegex(" ".join(faults), message)
    for log, expected in zip(found, self.logs, strict=True):
      for name in run_logs.COSTS:
        wanted = expected.metrics[name].copy()
        if log.step == lost:
          wanted[1] = np.nan
        np.testing.assert_array_equal(log.metrics[name], wanted)

  def test_rows_until_a_step_are_read(self):
    path = self.workdir / results.METRICS
    path.write_text(path.read_text() + '{"step": 15, "seed": 7}\n')
    self.check(self.read(until=5), self.logs[:2])
    # Some rows of a last step are those of a run that was killed.
    self.check(self.read(), self.logs)

  def test_a_damaged_frame_is_left_out(self):
    path = self.workdir / results.FRAMES
    content = bytearray(path.read_bytes())
    content[8:40] = bytes(32)
    path.write_bytes(content)
    logs, faults, _ = run_logs.read_logs(self.workdir, SEEDS)
    self.assertRegex(" ".join(faults), "frames.bin has a damaged frame")
    self.assertEqual([log.frame is None for log in logs], [True, True, False])

  @parameterized.parameters(1, 8, 9, 100)
  def test_a_torn_frame_is_left_out(self, num_bytes):
    path = self.workdir / results.FRAMES
    whole = path.read_bytes()
    with path.open("ab") as file:
      file.write(whole[:num_bytes])
    self.check(self.read(), self.logs)

  def test_warnings_are_cut_with_their_steps_and_other_events_stay(self):
    for kind, step in (
      ("began", 0),
      ("collapsed", 5),
      ("stopped", 8),
      ("failed", 10),
    ):
      run_logs.append_event(self.workdir, kind, step, "why", seed=7)
    self.cut(5)
    text = (self.workdir / results.EVENTS).read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    self.assertEqual(
      [(row["kind"], row["step"]) for row in rows],
      [("began", 0), ("collapsed", 5), ("stopped", 8)],
    )
    self.assertEqual(rows[1]["seed"], 7)
    self.assertEqual(rows[1]["message"], "why")

  def test_frames_of_a_finished_run_are_in_its_snapshots(self):
    frames = [log.frame for log in self.logs if log.frame]
    snapshots: dict[str, Any] = {
      name: np.stack([frame[name] for frame in frames], axis=1)
      for name in frames[0]
    }
    np.savez(
      self.workdir / results.SNAPSHOTS,
      step=np.array([0, 10]),
      x=np.arange(5),
      **snapshots,
    )
    (self.workdir / results.FRAMES).unlink()
    found = self.read(reference={"x"})
    self.check(found, self.logs)


if __name__ == "__main__":
  absltest.main()
