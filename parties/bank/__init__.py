"""A bank: drafts, verifies and commits draws, reduces and closes them."""
