"""The mathematics of Tradeveil: proofs that the total financed never exceeds a declared value nobody sees.

This package has no input or output, no clock and no database; randomness and time are arguments. It holds the group and its
engines, the transcript, sigma proofs, range proofs, the statements built from them, and the pure state transitions a verifier
makes. Everything outside `zkcore.secret` works on public data only. `SPEC.md` beside this file is the normative text.
"""

PROTOCOL_VERSION = 1
"""Version of every equation, encoding and transcript. An engine that reports another version is stale and is refused."""
