"""Customs, the attester: registers declarations with committed limits."""
