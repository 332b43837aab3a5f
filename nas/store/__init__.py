"""The database: its schema, one driver a study, writing and reading."""
