"""What `python -m tradeveil.describe` writes besides JSON: a page for people, and a client for programs."""
