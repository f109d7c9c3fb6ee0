"""How an installation comes to be: its folder, its keys, and its first records on the ledger."""
