"""The verifier: checks, commits and records, and can see no amount, name or number."""
