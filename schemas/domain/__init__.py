"""The business domain: currencies, amounts, rates, declarations, the Customs form. No keys, no mathematics."""
