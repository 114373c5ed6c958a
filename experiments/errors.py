"""Errors that a user can fix; each message is one line."""


class UsageError(Exception):
  """A command line that cannot be used."""


class SettingError(ValueError):
  """A setting that cannot be used."""


class RunFolderError(Exception):
  """A run folder that cannot be used."""


class LostProcessError(Exception):
  """The loss of another process that trained the same run."""
