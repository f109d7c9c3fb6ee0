"""`python -m identity.cli …`, the same as `cairn …`."""

from identity.cli import main

main()
