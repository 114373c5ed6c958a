"""Experiments, the commands that train them, and the run folders."""

import os

# Pictures are only written; notebooks name a backend that is not there, and
# matplotlib would not even be imported.
os.environ["MPLBACKEND"] = "agg"

if not os.path.isabs(os.environ.get("XDG_CACHE_HOME", "/")):
  # Its specification has a relative path ignored; matplotlib does not.
  del os.environ["XDG_CACHE_HOME"]
