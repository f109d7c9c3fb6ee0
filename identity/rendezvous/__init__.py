"""Where a wallet that shows a QR code waits for the request of whoever scanned it."""
