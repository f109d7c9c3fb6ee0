"""The vault: personal data sealed row by row, opened only after the opening is on record."""
