"""The published language: what sources send, what destinations and audit consumers read. Knows no service."""
