"""What kimicode knows of a repository: git and ignore rules."""
