"""Attacks that once worked, each by its name."""
