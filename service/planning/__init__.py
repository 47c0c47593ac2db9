"""What each write must prove, and what it writes.

A `plan_` function gets the rows that the request rests on, has zkcore.ledger build every statement from them, and has all
claims of the request verified in one batch with those of other requests; it raises Refusal or returns the plan. The plan itself
is called inside the transaction with the time of the entries: it verifies nothing, and only computes the entries and the states
that follow from the rows that were read. SPEC.md, section 10.5, has the order, and forbids taking from a request what stands in
the verifier's own state.
"""
