"""What every room uses: errors with their exit codes, paths, wording, failpoints."""
