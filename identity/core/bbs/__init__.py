"""BBS signatures on BLS12-381: sign many messages at once, show some, prove the rest.

draft-irtf-cfrg-bbs-signatures-07, ciphersuite BLS12-381-SHA-256, and the two drafts that build on
it: blind signatures and pseudonyms for each verifier.
"""
