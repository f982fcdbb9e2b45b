"""Keeps every audit entry, in order, for ever."""
