"""The database schema's versions, and all tables in one place for them. Run by `onward migrate`."""
