"""Faults of a real network: members with a CometBFT node each, on network namespaces of theirs."""
