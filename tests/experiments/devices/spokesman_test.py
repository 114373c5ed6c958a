"""What a process says passes; what JAX says as it aborts is one line."""

import io

from absl.testing import absltest

from experiments.devices import spokesman

LOGGED = b"E1127 05:36:29.319417   13639 agent.cc:289] Polled an error\n"
FATAL = (
  b"F1127 05:36:29.319417   13639 client.h:79] Terminating process because the"
  b" JAX distributed service detected fatal errors.\n",
  b"*** Check failure stack trace: ***\n",
  b"    @     0x7f618b440634  absl::Flush()\n",
)
ANNOUNCED = spokesman.MARK + b"process 0 has died\n"


def spoken(*lines: bytes) -> bytes:
  target = io.BytesIO()
  spokesman.speak(io.BytesIO(b"".join(lines)), target)
  return target.getvalue()


class SpokesmanTest(absltest.TestCase):
  def test_an_abort_is_one_line(self):
    self.assertEqual(
      spoken(ANNOUNCED, b"said\n", LOGGED, *FATAL),
      b"said\nerror: process 0 has died\n",
    )

  def test_an_error_that_was_said_is_not_said_again(self):
    said = b"error: process 0 has died; go on\n"
    self.assertEqual(spoken(ANNOUNCED, LOGGED, said, *FATAL), said)

  def test_what_is_logged_is_not_lost(self):
    self.assertEqual(
      spoken(ANNOUNCED, LOGGED, b"Traceback\n"), b"Traceback\n" + LOGGED
    )


if __name__ == "__main__":
  absltest.main()
