"""The command line: knows every service, and is the place where they meet in one process."""
