"""Recovery by guardians: arrangements, recoveries, approvals."""
