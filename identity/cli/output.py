"""Where commands write: lines for the operator, and the log."""

from identity.adapters.logs import set_up_logging
from identity.config import Settings


def print_line(line: str) -> None:
    """One line for the operator, at once."""
    print(line, flush=True)


def open_log(settings: Settings) -> None:
    """Send the log where the settings say."""
    path = settings.server.log_file
    if path is None:
        set_up_logging()
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        set_up_logging(path.open("a", encoding="utf-8", buffering=1))
