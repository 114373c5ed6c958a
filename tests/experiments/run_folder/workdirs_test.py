"""Run folders are made, claimed and cleared."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from absl.testing import absltest, parameterized

from experiments.errors import RunFolderError
from experiments.run_folder import results, workdirs


def create(workdir, overwrite=False):
  """Makes a run folder, and lets go of it."""
  with workdirs.create(workdir, overwrite):
    pass


class RunFolderTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.parent = Path(self.enterContext(tempfile.TemporaryDirectory()))

  def test_an_existing_run_is_kept_unless_overwritten(self):
    workdir = self.parent / "run"
    create(workdir)
    (workdir / results.SETTINGS).write_text('{"experiment": "", "seeds": []}')
    (workdir / "notes").write_text("mine")
    with self.assertRaisesRegex(RunFolderError, "--resume to continue"):
      create(workdir)
    self.assertTrue((workdir / results.SETTINGS).exists())
    create(workdir, overwrite=True)
    self.assertFalse((workdir / results.SETTINGS).exists())
    self.assertTrue((workdir / "notes").exists())

  def test_overwrite_spares_what_is_no_run_folder(self):
    (self.parent / "thesis.tex").write_text("ten years of work")
    (self.parent / results.SETTINGS).write_text('{"editor": "dark"}')
    with self.assertRaisesRegex(RunFolderError, "not a run folder"):
      create(self.parent, overwrite=True)
    self.assertTrue((self.parent / "thesis.tex").exists())

  def test_an_empty_folder_will_do(self):
    (self.parent / workdirs.LOCK).touch()
    (self.parent / ".partial-1-settings.json").touch()
    create(self.parent)
    self.assertEqual(
      [path.name for path in self.parent.iterdir()], [workdirs.LOCK]
    )

  @parameterized.parameters(False, True)
  def test_a_file_is_refused(self, overwrite):
    path = self.parent / "file"
    path.write_text("content")
    for workdir in (path, path / "below"):
      with self.assertRaisesRegex(RunFolderError, "cannot be made"):
        create(workdir, overwrite)
    self.assertEqual(path.read_text(), "content")

  def test_an_unwritable_place_is_refused(self):
    with self.assertRaisesRegex(RunFolderError, "cannot be made"):
      create(Path("/proc/run"))
    self.assertTrue(os.path.isdir("/proc"))

  def test_numbered_folders_follow_each_other(self):
    names = []
    for _ in range(2):
      with workdirs.create_numbered(self.parent, "ring") as workdir:
        names.append(workdir.name)
    self.assertEqual(names, ["ring-001", "ring-002"])

  def test_one_process_writes_at_a_time(self):
    program = (
      "from pathlib import Path; from experiments.run_folder import workdirs; "
      f"workdirs.claim(Path({str(self.parent)!r})).__enter__()"
    )

    def another():
      return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
      ).stderr

    with workdirs.claim(self.parent):
      self.assertIn(
        f"{self.parent} is being written to by process {os.getpid()} on ",
        another(),
      )
    self.assertEqual(another(), "")
    # Whoever ended left the lock's file, but not the lock.
    self.assertTrue((self.parent / workdirs.LOCK).exists())
    with workdirs.claim(self.parent):
      pass

  def test_a_run_in_progress_is_not_overwritten(self):
    workdir = self.parent / "run"
    create(workdir)
    (workdir / results.SETTINGS).write_text('{"experiment": "", "seeds": []}')
    with (
      workdirs.claim(workdir),
      self.assertRaisesRegex(RunFolderError, "is being written to"),
    ):
      create(workdir, overwrite=True)
    self.assertTrue((workdir / results.SETTINGS).exists())

  def test_what_a_run_writes_is_cleared(self):
    for name in (*results.FILES, ".partial-9-metrics.jsonl", "notes"):
      (self.parent / name).touch()
    for name in (*results.FOLDERS, "mine"):
      (self.parent / name).mkdir()
      (self.parent / name / "file").touch()
    workdirs.clear(self.parent)
    self.assertEqual(
      sorted(path.name for path in self.parent.iterdir()), ["mine", "notes"]
    )


if __name__ == "__main__":
  absltest.main()
