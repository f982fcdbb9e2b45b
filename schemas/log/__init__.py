"""What an outsider needs to prove the audit log: formats, tree, signatures and a reader. No store, no network."""
