"""The `nas` command. Data goes to stdout, progress and notices to stderr."""
