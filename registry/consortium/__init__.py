"""A member's installation: its folder, the founding ceremony, the process that runs."""
