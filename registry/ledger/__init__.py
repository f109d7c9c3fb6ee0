"""Where transactions are ordered and stored: one port, and the engines behind it."""
