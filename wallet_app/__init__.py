"""The citizen's page and the relying party's page, as built files. Speaks HTTP only."""
