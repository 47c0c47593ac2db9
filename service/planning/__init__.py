"""What each write must prove, and what it writes.

A `check_` function gets the rows that the request rests on, and has zkcore.ledger build every statement from them; it raises
Refusal, or returns what is still unproven: the claims, which are verified together with those of other requests, and the plan
for when they hold. The plan itself is called inside the transaction with the time of the entries: it verifies nothing, and only
computes the entries and the states that follow from the rows that were read. SPEC.md, section 10.5, has the order, and forbids
taking from a request what stands in the verifier's own state.
"""
