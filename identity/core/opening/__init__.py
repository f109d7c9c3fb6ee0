"""Accountable opening: an identity sealed to several institutions, opened only under an order."""
