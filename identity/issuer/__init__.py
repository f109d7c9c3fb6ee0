"""Issuing agencies: offers, OpenID4VCI for wallets, VC API for systems, status lists, anchoring."""
