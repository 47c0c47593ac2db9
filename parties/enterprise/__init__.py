"""The enterprise, owner of documents: applies, consents, proves headroom."""
