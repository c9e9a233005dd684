"""Fault injection: the whole system under random kills, compared with a ledger kept outside it."""
