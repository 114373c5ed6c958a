"""The first signal is a request to stop, and the second ends the process."""

import os
import pty
import signal
import subprocess
import sys
import tempfile
import time

from absl.testing import absltest, parameterized

from experiments.cli import signals
from tests.experiments import commands

PROGRAM = """
import signal, time
from experiments.cli import signals

with signals.caught("noticed") as stop:
  print("ready", flush=True)
  {body}
print(stop.signal)
raise SystemExit(stop.exit_code())
"""
HAS_TERMINAL = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
"""
WAITS = "while not stop.requested(): time.sleep(0.01)"
BLOCKS = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"
"""One long call into C, like a compiler's: Python calls no signal handler."""


def start(body):
  process = subprocess.Popen(
    [sys.executable, "-c", PROGRAM.format(body=body)],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  assert process.stdout
  process.stdout.readline()
  return process


class InterruptionTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    # What nohup starts ignores SIGHUP, and children inherit that.
    previous = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    self.addCleanup(signal.signal, signal.SIGHUP, previous)

  @parameterized.parameters(
    (signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)
  )
  def test_the_first_signal_is_a_request(self, number, code):
    process = start(WAITS)
    process.send_signal(number)
    output, error = process.communicate(timeout=60)
    self.assertEqual(process.returncode, code)
    self.assertEqual(output, f"{int(number)}\n")
    self.assertEqual(error, "noticed\n")

  def test_a_closed_terminal_is_a_request_to_stop(self):
    terminal, side = pty.openpty()
    # The program reports to a file, as its terminal is gone.
    with tempfile.NamedTemporaryFile() as report:
      body = f"{WAITS}\n  print(1)\n  open({report.name!r}, 'w').write('saved')"
      process = subprocess.Popen(
        [sys.executable, "-c", HAS_TERMINAL + PROGRAM.format(body=body)],
        stdin=side,
        stdout=side,
        stderr=side,
        start_new_session=True,
      )
      os.close(side)
      # The whole line: a terminal closed within it fails the write.
      with open(terminal, "rb") as output:
        self.assertEqual(output.readline(), b"ready\r\n")
      self.assertEqual(process.wait(timeout=60), 129)
      self.assertEqual(report.read(), b"saved")

  def test_nohup_is_obeyed(self):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    process = start("time.sleep(1)")
    process.send_signal(signal.SIGHUP)
    output, error = process.communicate(timeout=60)
    self.assertEqual((output, error), ("0\n", ""))

  def test_two_at_once_are_one(self):
    # The process sends them itself, so that none is late.
    process = start(
      "signal.raise_signal(signal.SIGTERM); "
      "signal.raise_signal(signal.SIGINT); time.sleep(1)"
    )
    output, error = process.communicate(timeout=60)
    self.assertEqual(process.returncode, 143)
    self.assertEqual(output, f"{int(signal.SIGTERM)}\n")
    self.assertEqual(error, "noticed\n")

  @parameterized.parameters((signal.SIGINT, 130), (signal.SIGTERM, 143))
  def test_the_second_ends_a_process_that_does_not_listen(self, number, code):
    process = start(BLOCKS)
    process.send_signal(number)
    assert process.stderr
    self.assertEqual(process.stderr.readline(), "noticed\n")
    self.assertIsNone(process.poll())
    time.sleep(2 * signals.SECONDS_OF_ONE)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    self.assertEqual(process.returncode, code)
    self.assertEqual(error, "stopped at once\n")

  def test_before_anything_is_written(self):
    # A shell lets what it runs in the background ignore Ctrl-C, and children
    # inherit that.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    self.addCleanup(signal.signal, signal.SIGINT, previous)
    with tempfile.TemporaryDirectory() as folder:
      process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "experiments.run"],
        cwd=folder,
        env=commands.ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
      )
      assert process.stderr
      # A line for each module, when it has been imported. The command imports
      # JAX when it has read its flags.
      for line in process.stderr:
        if line.split("|")[-1].strip() == "jax":
          break
      process.send_signal(signal.SIGINT)
      output, error = process.communicate(timeout=60)
      self.assertEqual(process.returncode, 130, error)
      self.assertEqual(output, "")
      self.assertEmpty(os.listdir(folder))
    lines = [x for x in error.splitlines() if not x.startswith("import time:")]
    self.assertEqual(lines, ["interrupted"])

  @parameterized.parameters(False, True)
  def test_an_interrupt_in_a_callback_of_the_collector(self, is_kept):
    code = (
      "import gc, signal, time; from experiments.cli import signals; "
      # What a shell runs in the background ignores it.
      "signal.signal(signal.SIGINT, signal.default_int_handler); "
      f"{'signals.keep_interrupts(); ' if is_kept else ''}"
      "gc.collect(); gc.disable(); gc.callbacks.append(lambda phase, _: "
      "phase == 'stop' or signal.raise_signal(signal.SIGINT)); gc.collect(); "
      "gc.callbacks.clear(); time.sleep(5)"
    )
    done = subprocess.run(
      [sys.executable, "-c", code],
      env=commands.ENVIRONMENT,
      capture_output=True,
      text=True,
    )
    # Else it is lost, and Python says so.
    self.assertEqual(done.returncode, -signal.SIGINT if is_kept else 0)
    self.assertEqual("Exception ignored" in done.stderr, not is_kept)

  def test_importing_the_package_installs_no_handler(self):
    code = (
      "import signal; numbers = signal.SIGINT, signal.SIGTERM; "
      "before = [*map(signal.getsignal, numbers)]; import experiments.run; "
      "print(before == [*map(signal.getsignal, numbers)])"
    )
    done = subprocess.run(
      [sys.executable, "-c", code],
      env=commands.ENVIRONMENT,
      capture_output=True,
      text=True,
    )
    self.assertEqual(done.stdout, "True\n", done.stderr)

  def test_handlers_are_put_back(self):
    before = [signal.getsignal(number) for number in signals.SIGNALS]
    with signals.caught("noticed") as stop:
      self.assertFalse(stop.requested())
      os.kill(os.getpid(), signal.SIGTERM)
      deadline = time.monotonic() + 60
      while not stop.requested() and time.monotonic() < deadline:
        time.sleep(0.01)
      self.assertEqual(stop.exit_code(), 143)
    after = [signal.getsignal(number) for number in signals.SIGNALS]
    self.assertEqual(before, after)


if __name__ == "__main__":
  absltest.main()
