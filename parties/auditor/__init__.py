"""The auditor: re-checks every proof and balance of an export from genesis, with public keys alone."""
