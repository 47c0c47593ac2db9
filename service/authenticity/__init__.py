"""Authenticity without disclosure: oblivious evaluations, sealed records and lookups. SPEC.md, sections 15 and 16."""
