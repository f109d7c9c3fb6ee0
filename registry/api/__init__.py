"""The registry over HTTP: records with proofs, the log, transactions, DID resolution."""
