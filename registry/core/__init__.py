"""Pure rules of the ledger. Nothing here reads a clock, a file, a socket, a database or a random source."""
