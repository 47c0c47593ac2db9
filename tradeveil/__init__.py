"""The composition root: one command with a subcommand a role, and the demonstration."""
