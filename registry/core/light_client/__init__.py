"""Light client of CometBFT 0.38 and 0.39: believe a header because enough validators signed it."""
