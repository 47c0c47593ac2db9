"""Batches: up to 5,000 financings in one request, worked off in the background, with an answer a line."""
