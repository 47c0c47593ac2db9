"""What each write must prove, and what it writes.

A `plan_` function reads the rows, has zkcore.ledger build every statement from them, and verifies all claims of the request in
one batch; it raises Refusal or returns the plan. The plan itself is called inside the transaction with the time of the entries:
it verifies nothing, and only computes the entries and the states that follow from the rows that were read.
"""
