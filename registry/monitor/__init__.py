"""Follows a registry from outside: rebuilds what it says, remembers, and cries out at a lie."""
