"""Test vectors as JSON, and the code that writes them."""
