"""The consortium engine: CometBFT orders, this application applies the rules and stores."""
