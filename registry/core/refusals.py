"""The "no" that this project says on purpose, in five kinds that tell a caller what to do."""


class Refusal(Exception):
    """A "no" that this project says on purpose. Anything else that escapes is a bug.

    `detail` is sent to the caller: write it for them, without keys, tokens or personal data.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Malformed(Refusal):
    """The input is not what it claims to be; sending it again will not help."""


class NotPermitted(Refusal):
    """Well-formed, and this caller may not do it."""


class NotFound(Refusal):
    """What the caller names does not exist here."""


class Conflict(Refusal):
    """Fine in itself; the current state forbids it."""


class Unavailable(Refusal):
    """Fine in itself; something it depends on does not answer now. Try again later."""
