"""The file in which every engine keeps its ledger, and the checked reads from it."""
