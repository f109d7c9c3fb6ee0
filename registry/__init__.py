"""The consortium's ledger: pure rules, engines that order and store, and proofs for readers."""
