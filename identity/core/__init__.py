"""Pure rules of identity: credential formats, checks, status, disclosure. No input or output."""
