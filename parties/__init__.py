"""The parties: each package here is a trust domain that holds its own secrets. None imports another."""
