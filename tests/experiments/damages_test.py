"""Damaged run folders: what is wrong is said, without a traceback."""

import contextlib
import io
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import jax
import pytest
from absl.testing import absltest, parameterized

from experiments import report, run, sample
from experiments.errors import RunFolderError, SettingError, UsageError
from experiments.run_folder import results
from experiments.training import checkpoints
from gan_jax import training
from tests.experiments import trained_runs

RUN = trained_runs.settings_of(
  "ring",
  [4, 5],
  steps=12,
  log_every=3,
  evaluation_samples=64,
  batch_size=16,
  generator_width=8,
  discriminator_width=8,
)
ERRORS = (RunFolderError, SettingError, UsageError, OSError)
"""What commands print in one line."""
JSON_FILES = (results.SETTINGS, results.SUMMARY)
ROWS = (results.METRICS, results.EVENTS)
FILES = (*JSON_FILES, *ROWS, results.FRAMES, results.SNAPSHOTS)


def cut(path: Path, rng: random.Random) -> None:
  """Truncates a file."""
  content = path.read_bytes()
  path.write_bytes(content[: rng.randrange(len(content))])


def remove(path: Path, rng: random.Random) -> None:
  """Deletes a file."""
  path.unlink()


def zero(path: Path, rng: random.Random) -> None:
  """Overwrites a part of a file, as a disk does that loses a block."""
  content = bytearray(path.read_bytes())
  start = rng.randrange(len(content))
  content[start : start + 64] = bytes(len(content[start : start + 64]))
  path.write_bytes(content)


def flip(path: Path, rng: random.Random) -> None:
  """Changes a bit."""
  content = bytearray(path.read_bytes())
  content[rng.randrange(len(content))] ^= 1 << rng.randrange(7)
  path.write_bytes(content)


def edit(path: Path, rng: random.Random) -> None:
  """Replaces a value of a JSON file by one of another type."""
  content = json.loads(path.read_text())
  holder = content
  while True:
    keys = list(holder) if isinstance(holder, dict) else range(len(holder))
    key = rng.choice(list(keys))
    inner = holder[key]
    if not isinstance(inner, dict | list) or not inner or rng.random() < 0.3:
      break
    holder = inner
  holder[key] = rng.choice([None, 3, "x", [], {}, [1], {"a": 1}, True, -1.5])
  path.write_text(json.dumps(content))


def change_lines(path: Path, rng: random.Random) -> None:
  """Loses, repeats or swaps lines."""
  lines = path.read_text().splitlines(keepends=True)
  index = rng.randrange(len(lines))
  kind = rng.randrange(3)
  if kind == 0:
    del lines[index]
  elif kind == 1:
    lines.insert(rng.randrange(len(lines)), lines[index])
  else:
    rng.shuffle(lines)
  path.write_text("".join(lines))


def damage(workdir: Path, seed: int) -> str:
  """Damages a run folder in a way that a seed chooses; says how."""
  rng = random.Random(seed)
  kinds: list[Callable[[Path, random.Random], None]] = [cut, remove, zero, flip]
  files = [workdir / name for name in FILES if (workdir / name).exists()]
  files += [
    path
    for path in (workdir / results.CHECKPOINTS).rglob("*")
    if path.is_file() and path.stat().st_size
  ]
  path = rng.choice(files)
  if path.name in JSON_FILES:
    kinds.append(edit)
  if path.name in ROWS:
    kinds.append(change_lines)
  chosen = rng.choice(kinds)
  chosen(path, rng)
  return f"{chosen.__name__} {path.relative_to(workdir)}"


def outcome(workdir: Path) -> dict[str, object]:
  """Reads what a run has measured and learnt."""
  read = results.read_results(workdir)
  init = RUN.experiment.build(RUN.settings).init
  structure = training.structure(init, len(RUN.seeds))
  progress = None
  with contextlib.suppress(RunFolderError):
    progress = checkpoints.load_newest(workdir, structure).checkpoint.progress
  return {
    "faults": read.faults,
    "experiment": (read.experiment, read.settings),
    "metrics": {name: bytes(x) for name, x in read.metrics.items()},
    "snapshots": {name: bytes(x) for name, x in read.snapshots.items()},
    "score": results.read_json(workdir / results.SUMMARY)["score"],
    "progress": [bytes(x) for x in jax.tree.leaves(progress)],
  }


class DamagesTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    cls.enterClassContext(trained_runs.on_one_device())
    cls.enterClassContext(trained_runs.undrawn())
    cls.enterClassContext(trained_runs.traced_once())
    cls.whole, _ = trained_runs.train(cls.folder, RUN)
    cls.killed = cls.folder / "killed"
    trained_runs.train_until(cls.killed, RUN, 7)
    cls.expected = outcome(cls.whole)

  def call(self, command, *arguments):
    """Runs a command; returns its exit code and all that it says."""
    said = io.StringIO()
    with (
      contextlib.redirect_stdout(io.StringIO()),
      contextlib.redirect_stderr(said),
    ):
      try:
        code = command.run([command.__name__, *arguments])
      except ERRORS as error:
        self.assertLen(str(error).splitlines(), 1)
        return 2, str(error)
    return code, said.getvalue()

  def check(self, source, seed):
    """Damages a copy of a run, and checks what the commands do with it."""
    with tempfile.TemporaryDirectory() as parent:
      workdir = Path(parent) / "run"
      shutil.copytree(source, workdir)
      what = damage(workdir, seed)
      with self.subTest(what):
        page = workdir.parent / "page.html"
        code, said = self.call(report, str(workdir), f"--out={page}")
        text = page.read_text() if code == 0 else ""
        out = f"--out={workdir.parent / 'x.npz'}"
        _, sampled = self.call(sample, f"--workdir={workdir}", out)
        code, resumed = self.call(run, f"--workdir={workdir}", "--resume")
        if code:
          return
        found = outcome(workdir)
        if any(found[name] != x for name, x in self.expected.items()):
          # Whatever differs is said by a command or on the page.
          self.assertRegex(
            said + sampled + resumed + text,
            "damaged|changed|differ|no row of|logged steps|gap|going back",
          )

  @parameterized.parameters(*range(4))
  def test_a_killed_run(self, seed):
    self.check(self.killed, seed)

  @parameterized.parameters(*range(4))
  def test_a_finished_run(self, seed):
    self.check(self.whole, seed)

  @parameterized.parameters(*range(4, 60))
  @pytest.mark.slow
  def test_many_killed_runs(self, seed):
    self.check(self.killed, seed)

  @parameterized.parameters(*range(4, 60))
  @pytest.mark.slow
  def test_many_finished_runs(self, seed):
    self.check(self.whole, seed)


if __name__ == "__main__":
  absltest.main()
