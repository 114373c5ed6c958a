"""A run resumes as if it had not been stopped, or says why it cannot."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from experiments import run
from experiments.errors import RunFolderError, SettingError, UsageError
from experiments.run_folder import results, workdirs
from experiments.training import checkpoints, trainer
from gan_jax import training
from tests.experiments import commands, trained_runs

RUN = trained_runs.settings_of(
  "ring",
  [4, 5],
  steps=12,
  log_every=3,
  evaluation_samples=64,
  learning_rate_decay="none",
  batch_size=16,
  generator_width=8,
  discriminator_width=8,
)
STOPS = 7


def files_of(workdir):
  """Returns the content of each file but the lock, by path."""
  return {
    path.relative_to(workdir): path.read_bytes()
    for path in workdir.rglob("*")
    if path.is_file() and path.name != workdirs.LOCK
  }


def content_of(workdir):
  """Returns all that a finished run must end with."""
  read = results.read_results(workdir)
  (step, *_) = checkpoints.steps(workdir)
  loaded = checkpoints.load_newest(workdir, structure_of(RUN))
  return {
    "metrics": hashlib.sha256(
      repr(trained_runs.measured_rows(workdir)).encode()
    ).hexdigest(),
    "score": results.read_json(workdir / results.SUMMARY)["score"],
    "snapshots": {
      name: hashlib.sha256(bytes(values)).hexdigest()
      for name, values in read.snapshots.items()
    },
    "step": step,
    "progress": hashlib.sha256(
      b"".join(map(bytes, jax.tree.leaves(loaded.checkpoint.progress)))
    ).hexdigest(),
  }


def structure_of(run_settings):
  problem = run_settings.experiment.build(run_settings.settings)
  return training.structure(problem.init, len(run_settings.seeds))


class ResumptionTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    cls.enterClassContext(trained_runs.on_one_device())
    cls.enterClassContext(trained_runs.undrawn())
    cls.enterClassContext(trained_runs.traced_once())
    cls.whole, _ = trained_runs.train(cls.folder, RUN)
    cls.stopped = cls.folder / "stopped"
    trained_runs.train_until(cls.stopped, RUN, STOPS)

  def setUp(self):
    super().setUp()
    parent = Path(self.enterContext(tempfile.TemporaryDirectory()))
    # Elsewhere than it was written.
    self.workdir = parent / "copy"
    shutil.copytree(self.stopped, self.workdir)
    self.stderr = self.enterContext(contextlib.redirect_stderr(io.StringIO()))
    self.stdout = self.enterContext(contextlib.redirect_stdout(io.StringIO()))

  def resume(self, *flags):
    return run.run(["run", "--resume", f"--workdir={self.workdir}", *flags])

  def test_it_stopped_where_it_was_told(self):
    self.assertGreaterEqual(checkpoints.steps(self.stopped)[0], STOPS)
    self.assertLess(checkpoints.steps(self.stopped)[0], RUN.settings.steps)
    self.assertFalse((self.stopped / results.SUMMARY).exists())

  def test_it_ends_as_if_it_had_not_been_stopped(self):
    self.assertEqual(self.resume(), 0)
    self.assertEqual(content_of(self.workdir), content_of(self.whole))
    rows = results.read_rows(self.workdir / results.EVENTS).rows
    self.assertEqual(
      [row["kind"] for row in rows],
      ["began", "saved", "stopped", "resumed", "ended"],
    )
    self.assertFalse((self.workdir / results.FRAMES).exists())
    before = files_of(self.workdir)
    self.assertEqual(self.resume(), 0)
    self.assertIn("has finished", self.stdout.getvalue())
    self.assertEqual(files_of(self.workdir), before)

  def test_the_same_command_begins_and_resumes(self):
    flags = [
      "--experiment=ring",
      "--seed=4",
      "--num_seeds=2",
      *(
        f"--{name}={getattr(RUN.settings, name)}"
        for name in (
          *("steps", "log_every", "evaluation_samples", "batch_size"),
          *("generator_width", "discriminator_width", "learning_rate_decay"),
        )
      ),
    ]
    self.assertEqual(self.resume(*flags), 0)
    self.assertEqual(content_of(self.workdir), content_of(self.whole))
    shutil.rmtree(self.workdir)
    self.assertEqual(self.resume(*flags), 0)
    self.assertEqual(content_of(self.workdir), content_of(self.whole))

  def test_told_while_its_figures_are_drawn(self):
    write_figures = trained_runs.WRITE_FIGURES

    def interrupted(workdir, figures):
      if not (workdir / results.FIGURES).exists():
        os.kill(os.getpid(), signal.SIGINT)
        # A thread hears it.
        time.sleep(0.5)
      write_figures(workdir, figures)

    with mock.patch.object(results, "write_figures", interrupted):
      self.assertEqual(self.resume(), 130)
    self.assertRegex(
      self.stderr.getvalue().splitlines()[-1],
      r"^stopped at step 12; resume with: .* --resume --workdir=\S+$",
    )
    self.assertFalse((self.workdir / results.SUMMARY).exists())
    self.assertLen(list((self.workdir / results.FIGURES).iterdir()), 1)
    with mock.patch.object(results, "write_figures", write_figures):
      self.assertEqual(self.resume(), 0)
    self.assertEqual(content_of(self.workdir), content_of(self.whole))
    for figure in RUN.experiment.figures:
      folder = "" if figure == results.ANIMATION else results.FIGURES
      self.assertTrue((self.workdir / folder / figure).exists(), figure)

  def test_a_run_killed_before_its_first_checkpoint_begins_again(self):
    shutil.rmtree(self.workdir / results.CHECKPOINTS)
    events = self.workdir / results.EVENTS
    rows = events.read_text().splitlines(keepends=True)
    events.write_text("".join(row for row in rows if "saved" not in row))
    self.assertEqual(self.resume(), 0)
    self.assertEqual(content_of(self.workdir), content_of(self.whole))

  def test_a_run_whose_checkpoints_are_gone_is_not_trained_again(self):
    whole = self.workdir.with_name("whole")
    shutil.copytree(self.whole, whole)
    for workdir, flags in ((self.workdir, ()), (whole, ("--steps=15",))):
      shutil.rmtree(workdir / results.CHECKPOINTS)
      self.workdir = workdir
      self.refused(RunFolderError, "checkpoints of .* are gone", *flags)

  def test_a_run_is_trained_for_longer(self):
    self.assertEqual(self.resume(), 0)
    self.assertEqual(self.resume("--steps=18"), 0)
    longer = RUN._replace(settings=RUN.settings.replace(steps=18))
    workdir, _ = trained_runs.train(self.folder, longer)
    self.assertEqual(content_of(self.workdir), content_of(workdir))

  def test_a_run_of_an_earlier_version_is_trained_for_longer(self):
    shutil.rmtree(self.workdir)
    shutil.copytree(self.whole, self.workdir)
    names = [
      f"{prefix}{name}"
      for prefix in ("", "average_")
      for name in ("mode_overlap", "modes_balanced")
    ]
    trained_runs.forget_metrics(self.workdir, *names)
    steps = len(results.read_results(self.workdir).steps)
    write_figures = trained_runs.WRITE_FIGURES
    with mock.patch.object(results, "write_figures", write_figures):
      self.assertEqual(self.resume("--steps=18"), 0)
    read = results.read_results(self.workdir)
    for name in names:
      unknown = np.isnan(read.metrics[name])
      self.assertTrue(unknown[:, :steps].all())
      self.assertFalse(unknown[:, steps:].any())
    summary = results.read_json(self.workdir / results.SUMMARY)
    self.assertIsNotNone(summary["score"]["final"]["mean"])
    self.assertIsNotNone(summary["score"]["best"]["mean"])

  def test_intervals_may_change(self):
    self.assertEqual(self.resume("--log_every=1", "--checkpoint_every=1"), 0)
    read = results.read_results(self.workdir)
    (_, stopped, *_) = np.diff(read.steps)
    self.assertEqual(stopped, 3)
    self.assertEqual(np.diff(read.steps)[-1], 1)
    self.assertEqual(
      content_of(self.workdir)["progress"], content_of(self.whole)["progress"]
    )

  @pytest.mark.slow
  @parameterized.parameters((2, 1), (1, 2))
  def test_on_other_devices(self, before, after):
    workdir = self.workdir.with_name("others")
    trained_runs.train_until(workdir, RUN, STOPS, devices=before)
    devices = jax.devices()[:after]
    with (
      workdirs.claim(workdir),
      contextlib.redirect_stderr(io.StringIO()),
    ):
      trained = trainer.train(
        [RUN],
        [workdir],
        lambda _: trainer.build_problem(RUN, devices),
        devices,
        resumes=True,
      )
    assert trained is not None
    # A device that has one member compiles another loop than for two.
    read, whole = (
      results.read_results(workdir),
      results.read_results(self.whole),
    )
    np.testing.assert_array_equal(read.steps, whole.steps)
    for name, values in read.metrics.items():
      np.testing.assert_allclose(
        values, whole.metrics[name], rtol=1e-3, atol=1e-6, err_msg=name
      )

  def refused(self, error, message, *flags):
    """Checks that a resumption is refused, and nothing is lost."""
    before = files_of(self.workdir)
    with self.assertRaisesRegex(error, message):
      self.resume(*flags)
    self.assertEqual(files_of(self.workdir), before)

  @parameterized.parameters(
    ("--batch_size=32", "--batch_size from 16 to 32"),
    ("--loss=hinge", "--loss from non_saturating to hinge"),
    ("--experiment=grid", "--experiment from ring to grid"),
    ("--seed=5", "they are 4 to 5, not 5 to 6"),
    ("--num_seeds=3", "they are 4 to 5, not 4 to 6"),
    ("--threads=999", "--threads from [0-9]+ to 999"),
    ("--steps=3", "--steps=3 is less than the .* steps that .* has taken"),
  )
  def test_another_run_is_refused(self, flag, message):
    self.refused(SettingError, message, flag)

  @parameterized.parameters(
    (["--overwrite"], "choose one"),
    (
      ["--checkpoint_every=150", "--keep_checkpoint_every=200"],
      "no multiple of --checkpoint_every=150",
    ),
  )
  def test_flags_that_make_no_sense(self, flags, message):
    self.refused(UsageError, message, *flags)

  def test_a_resumption_without_a_folder_is_refused(self):
    with self.assertRaisesRegex(UsageError, "needs --workdir"):
      run.run(["run", "--resume"])

  def test_a_folder_of_something_else_is_refused(self):
    self.workdir = self.workdir.with_name("notes")
    self.workdir.mkdir()
    (self.workdir / "thesis.tex").touch()
    self.refused(RunFolderError, "is not a run folder: it has no settings.json")

  def test_a_checkpoint_of_another_run_is_refused(self):
    path = self.workdir / results.SETTINGS
    content = json.loads(path.read_text())
    content["settings"]["batch_size"] = 17
    path.write_text(json.dumps(content))
    self.refused(RunFolderError, "another run: its batch_size was 16, not 17")
    content["seeds"] = [1, 2]
    path.write_text(json.dumps(content))
    self.refused(
      RunFolderError, r"another run: its seeds are \[4, 5\], not \[1, 2\]"
    )

  def damage(self, step):
    """Truncates the files of a checkpoint."""
    folder = self.workdir / results.CHECKPOINTS / str(step)
    for path in folder.rglob("*"):
      if path.is_file():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

  def test_a_truncated_checkpoint_is_skipped(self):
    newest, before = checkpoints.steps(self.workdir)[:2]
    self.damage(newest)
    self.assertEqual(self.resume(), 0)
    self.assertIn(
      f"the checkpoint of step {newest} is damaged", self.stderr.getvalue()
    )
    self.assertIn(
      f"going back to the one of step {before}", self.stderr.getvalue()
    )
    self.assertEqual(content_of(self.workdir), content_of(self.whole))

  def test_no_intact_checkpoint_is_refused(self):
    for step in checkpoints.steps(self.workdir):
      self.damage(step)
    self.refused(RunFolderError, "no checkpoint of .* can be read")

  @parameterized.parameters(
    # The line of the rows that is lost, and what is said.
    (-1, "going back to the checkpoint of step"),
    (0, "the metrics will have a gap"),
  )
  def test_a_lost_row_does_not_cost_the_run(self, line, message):
    path = self.workdir / results.METRICS
    rows = path.read_text().splitlines(keepends=True)
    lost = json.loads(rows.pop(line))
    path.write_text("".join(rows))
    self.assertEqual(self.resume(), 0)
    self.assertIn(message, self.stderr.getvalue())
    read, whole = (
      results.read_results(each) for each in (self.workdir, self.whole)
    )
    if line:
      self.assertEqual(content_of(self.workdir), content_of(self.whole))
      return
    self.assertEqual(
      content_of(self.workdir)["progress"], content_of(self.whole)["progress"]
    )
    for name, values in read.metrics.items():
      expected = whole.metrics[name].copy()
      expected[list(RUN.seeds).index(lost["seed"]), 0] = np.nan
      np.testing.assert_array_equal(values, expected)
    self.assertRegex(" ".join(read.faults), "no row of step 0, seed 4")
    events = results.read_rows(self.workdir / results.EVENTS).rows
    self.assertIn("gap", [event["kind"] for event in events])

  def test_a_run_in_progress_is_refused(self):
    with workdirs.claim(self.workdir):
      self.refused(RunFolderError, "is being written to by process")

  def test_lost_frames_do_not_cost_the_run(self):
    (self.workdir / results.FRAMES).unlink()
    self.assertEqual(self.resume(), 0)
    self.assertIn("has 0 of 3 frames", self.stderr.getvalue())
    lost, whole = content_of(self.workdir), content_of(self.whole)
    for name in ("metrics", "score", "progress"):
      self.assertEqual(lost[name], whole[name])

  def test_a_damaged_old_checkpoint_does_no_harm(self):
    *_, oldest = checkpoints.steps(self.workdir)
    folder = self.workdir / results.CHECKPOINTS / str(oldest)
    (folder / "_CHECKPOINT_METADATA").write_text("junk")
    self.assertEqual(self.resume(), 0)
    self.assertEqual(content_of(self.workdir), content_of(self.whole))

  @parameterized.parameters(
    ("settings", {"batch_size": "many"}, "damaged or of another version"),
    ("settings", {"steps": -5}, "damaged or of another version"),
    ("settings", 3, "settings.json is damaged"),
    ("seeds", "abc", "settings.json is damaged"),
    ("threads", "two", "settings.json is damaged"),
    ("experiment", ["ring"], "not the run of a known experiment"),
  )
  def test_edited_settings_are_refused(self, name, value, message):
    path = self.workdir / results.SETTINGS
    content = json.loads(path.read_text())
    if isinstance(value, dict):
      content[name] |= value
    else:
      content[name] = value
    path.write_text(json.dumps(content))
    self.refused(RunFolderError, message)

  def test_nothing_to_go_on_with_is_refused(self):
    shutil.rmtree(self.workdir)
    with self.assertRaisesRegex(UsageError, "no folder .* name its --exp"):
      self.resume()
    self.assertFalse(self.workdir.exists())
    self.workdir.mkdir()
    with self.assertRaisesRegex(UsageError, "no run in .* name its --exp"):
      self.resume()
    self.assertEmpty(list(self.workdir.iterdir()))

  def test_a_page_that_was_not_written_is(self):
    self.assertEqual(self.resume(), 0)
    page = self.workdir / results.REPORT
    text = page.read_text()
    page.unlink()
    self.assertEqual(self.resume(), 0)
    self.assertEqual(page.read_text(), text)

  def test_decay_over_more_steps_gives_a_warning(self):
    run_settings = RUN._replace(
      settings=RUN.settings.replace(learning_rate_decay="cosine")
    )
    self.workdir = self.workdir.with_name("falls")
    trained_runs.train_until(self.workdir, run_settings, STOPS)
    self.stderr.truncate(0)
    self.assertEqual(self.resume("--steps=24"), 0)
    self.assertIn("decay over 24 steps instead of 12", self.stderr.getvalue())
    events = results.read_rows(self.workdir / results.EVENTS).rows
    self.assertIn("changed_steps", [event["kind"] for event in events])
    self.assertIn(
      "The result would differ", (self.workdir / results.REPORT).read_text()
    )
    self.stderr.truncate(0)
    self.assertEqual(self.resume("--steps=24"), 0)
    self.assertNotIn("decay", self.stderr.getvalue())


class GuardedTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

  def train(self, *flags, log_every=3, checkpoint_every=1):
    return commands.run(
      "experiments.run",
      "--experiment=ring",
      f"--log_every={log_every}",
      "--evaluation_samples=64",
      f"--checkpoint_every={checkpoint_every}",
      "--keep_checkpoints=1",
      "--workdir=run",
      *flags,
      cwd=self.folder,
      draws=False,
    )

  def events(self):
    rows = results.read_rows(self.folder / "run" / results.EVENTS).rows
    return [(row["kind"], row["seed"]) for row in rows]

  # A generator that starts at a point, and hardly moves.
  COLLAPSED = (
    "--steps=1000",
    "--num_seeds=2",
    "--generator_learning_rate=1e-9",
    "--initial_scale=1e-6",
  )

  def test_a_collapsed_generator_stops_the_run(self):
    self.check_collapsed_generator("stop", 1, 900)

  @pytest.mark.slow
  def test_a_collapsed_generator_may_train_on(self):
    self.check_collapsed_generator("continue", 0, 1000)

  def check_collapsed_generator(self, on_failure, code, steps):
    # From step 500 on, which has the first of five rows, this is no start.
    done = self.train(
      *self.COLLAPSED,
      f"--on_failure={on_failure}",
      log_every=100,
      checkpoint_every=200,
    )
    self.assertEqual(done.returncode, code, done.stderr)
    self.assertIn("less than 0.001 of the data's variance", done.stderr)
    collapsed = [("collapsed", 0), ("collapsed", 1)]
    self.assertContainsSubset(collapsed, self.events())
    summary = results.read_json(self.folder / "run" / results.SUMMARY)
    self.assertEqual(summary["steps"], steps)
    # It has not failed: its numbers count.
    self.assertEqual(summary["failures"], [])
    final = summary["metrics"]["modes_covered"]["final"]
    self.assertEqual(final["per_seed"], [0, 0])

  @pytest.mark.slow
  def test_the_last_healthy_checkpoint_is_kept(self):
    # Parameters grow until costs overflow, a few steps later.
    done = self.train(
      "--steps=100",
      "--loss=wasserstein",
      "--optimizer=sgd",
      "--generator_learning_rate=1e3",
      "--discriminator_learning_rate=1e3",
    )
    self.assertEqual(done.returncode, 1, done.stderr)
    self.assertIn(("failed", 0), self.events())
    self.assertIn("was not finite", done.stderr)
    summary = results.read_json(self.folder / "run" / results.SUMMARY)
    failure = summary["failures"][0]["step"]
    self.assertGreaterEqual(failure, 1)
    # The last one, and the one before the step that failed.
    self.assertEqual(
      checkpoints.steps(self.folder / "run"), [summary["steps"], failure]
    )


class SignalTest(parameterized.TestCase):
  def test_a_signal_saves_and_says_how_to_go_on(self):
    self.check_signal(signal.SIGTERM, 143)

  @pytest.mark.slow
  def test_another_signal_does_too(self):
    self.check_signal(signal.SIGINT, 130)

  def check_signal(self, number, code):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    process = subprocess.Popen(
      [
        *(sys.executable, "-m", "experiments.run", "--experiment=ring"),
        *("--workdir=run", "--steps=100000000", "--log_every=100000000"),
        "--tensorboard",
      ],
      cwd=folder,
      env=commands.ENVIRONMENT,
      stdout=subprocess.DEVNULL,
      stderr=subprocess.PIPE,
      text=True,
    )
    self.addCleanup(process.kill)
    rows = folder / "run" / results.METRICS
    deadline = time.monotonic() + commands.TIMEOUT_SECONDS
    while not rows.exists() and time.monotonic() < deadline:
      time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=commands.TIMEOUT_SECONDS)
    self.assertEqual(process.returncode, code, errors)
    self.assertNotIn("Traceback", errors)
    self.assertRegex(
      errors.splitlines()[-1],
      r"^stopped at step [\d,]+; resume with: python -m experiments.run "
      "--resume --workdir=run --tensorboard$",
    )
    self.assertLen(checkpoints.steps(folder / "run"), 1)


def mounted(folder, size):
  """Mounts a small filesystem; False where that is not allowed."""
  done = subprocess.run(
    ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
    capture_output=True,
  )
  return done.returncode == 0


@pytest.mark.slow
class FilesystemTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    if not shutil.which("mount") or not mounted(self.folder, "1000k"):
      self.skipTest("nothing may be mounted here")
    self.addCleanup(subprocess.run, ["umount", str(self.folder)], check=True)

  def train(self, *flags, steps=2000):
    return commands.run(
      "experiments.run",
      "--experiment=ring",
      "--evaluation_samples=64",
      "--workdir=run",
      "--checkpoint_every=10",
      f"--steps={steps}",
      "--log_every=10",
      *flags,
      cwd=self.folder,
      draws=False,
    )

  def test_a_disk_that_fills_up(self):
    done = self.train("--keep_checkpoints=1")
    self.assertEqual(done.returncode, 2, done.stderr)
    self.assertNotIn("Traceback", done.stderr)
    self.assertRegex(
      done.stderr.splitlines()[-1],
      "^error: .*run/checkpoints .No space left on device.; --resume continues",
    )
    workdir = self.folder / "run"
    (newest, *_) = checkpoints.steps(workdir)
    # There is room again elsewhere.
    with tempfile.TemporaryDirectory() as other:
      copy = Path(other) / "run"
      shutil.copytree(workdir, copy)
      done = commands.run(
        "experiments.run",
        *("--resume", "--workdir=run", f"--steps={newest + 10}"),
        cwd=copy.parent,
        draws=False,
      )
    self.assertEqual(done.returncode, 0, done.stderr)

  def test_a_read_only_run_folder(self):
    done = self.train(steps=10)
    subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)
    before = files_of(self.folder / "run")
    done = self.train("--resume", steps=20)
    self.assertEqual(done.returncode, 2)
    self.assertEqual(
      done.stderr.splitlines()[-1],
      "error: workdir run cannot be written to: Read-only file system",
    )
    self.assertEqual(files_of(self.folder / "run"), before)


if __name__ == "__main__":
  absltest.main()
