"""A regulator bureau: opens everything in its jurisdiction, and proves headroom for an enterprise without a wallet."""
