"""The wire and the words: typed messages, canonical encoding, the business domain, test vectors."""
