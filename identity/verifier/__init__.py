"""Relying parties: asks wallets over OpenID4VP, judges credentials over the VC API."""
