"""Witnesses of heads: the service that co-signs, and the operator's side that asks for it."""
