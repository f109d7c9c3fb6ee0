"""What anybody may read: credential types, and the pages."""
