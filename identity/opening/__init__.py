"""Accountable opening: seals at registration, orders, the gate, and the notice to the person."""
