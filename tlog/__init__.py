"""Transparency log in the public C2SP formats: comes with a later version. It will know nothing of finance."""
