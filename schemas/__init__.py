"""JSON Schemas, JSON-LD contexts and display data of the credential types. Data only."""
