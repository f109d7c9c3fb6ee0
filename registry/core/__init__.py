"""Pure rules of the ledger: no clock, no file, no socket, no database, no random source."""
