"""Real names: who a person is, proved once, kept in the vault, and told claim by claim."""
