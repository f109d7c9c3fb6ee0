"""Issuing agencies, real-name binding, verifiers, and the credential formats between them."""
