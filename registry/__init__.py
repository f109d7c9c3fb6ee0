"""The consortium's ledger: pure rules, engines that order and store, and what readers need to check them."""
