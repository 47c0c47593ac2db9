"""A verifiable oblivious pseudorandom function: RFC 9497, suite P256-SHA256, mode VOPRF.

A client learns F(key, input) of an evaluator's key; the evaluator learns nothing of the input, not even the output, and proves
that it used the key it has published. `client` blinds inputs, checks the proof and finishes; `evaluator` holds the key; `suite`
is what both share. Nothing here touches an amount, and no client ever runs inside the service.
"""
