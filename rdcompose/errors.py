"""Every error that rdcompose raises on purpose.

.. code-block:: text

    RdcomposeError            message for a person, and a hint on what to do
     ├── UsageError           options that do not go together: exit status 2
     ├── FormatError          the bytes are not what their format demands
     ├── UnsupportedError     valid, but of a kind that is not handled
     ├── SpecError            a list, template, program or option is wrong
     ├── ReleaseError         the parts are not all of one kernel release
     ├── CapabilityError      this kernel cannot boot what was asked for
     ├── FetchError           something could not be fetched, or was cut short
     │    └── NotFoundError   a server answered that it is not there
     ├── TrustError           a link from a trusted key to the bytes is broken
     ├── UploadError          a host of releases refuses a file, or cannot be reached
     └── OutputError          a result cannot be written

Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations


class RdcomposeError(Exception):
    """Base of the tree: one sentence on what failed and where.

    ``hint`` says what the user can do about it.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(RdcomposeError):
    """The command line asks for things that do not go together."""


class FormatError(RdcomposeError):
    """The bytes are not what their format demands: damaged, cut or foreign."""


class UnsupportedError(RdcomposeError):
    """Valid input of a kind that rdcompose does not handle."""


class SpecError(RdcomposeError):
    """A module list, template, program or option is wrong."""


class ReleaseError(RdcomposeError):
    """Kernel, modules and configuration are not all of one release."""


class CapabilityError(RdcomposeError):
    """This kernel, by its own configuration, cannot boot the composition."""


class FetchError(RdcomposeError):
    """Something could not be fetched: no answer, a refusal, or a body cut short."""


class NotFoundError(FetchError):
    """The server, or the directory of a ``file://`` mirror, answered: it is not there."""


class TrustError(RdcomposeError):
    """A link of the chain from a trusted key to the bytes is broken."""


class UploadError(RdcomposeError):
    """A host of releases refuses what is to be published, or cannot be reached."""


class OutputError(RdcomposeError):
    """A result cannot be written."""
