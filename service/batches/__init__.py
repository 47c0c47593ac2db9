"""Batches: up to 5,000 financings in one request, worked off in the background, with an answer a line.

Each line commits or is refused by the rules for a financing of its own (SPEC.md, sections 10.4 and 10.5).
"""
