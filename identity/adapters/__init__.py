"""What keeps the promises of the ports: databases, files, and other people's HTTP services."""
