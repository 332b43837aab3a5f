"""The pages of the site, a file a kind: a case in, a page out."""
