"""The one family of errors that a user of MeWM can cause and mend."""


class MewmError(Exception):
    """A user's mistake or a missing piece, told in one plain sentence.

    The message names the thing, the value found and what to do. The command line prints it without a
    traceback and exits with status 2; the worker sends it as an ``error`` event.
    """


class InputError(MewmError):
    """An image, mask, facts file or protocol that cannot be used as it is."""


class ResourceError(MewmError):
    """A file that ships with MeWM (action base, model bundle) is missing or was changed."""


class Cancelled(MewmError):
    """The user cancelled; nothing was written."""
