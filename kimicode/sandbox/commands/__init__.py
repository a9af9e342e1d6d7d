"""What a shell command would do, read before it runs: every command in it, every redirect, every wrapper."""
