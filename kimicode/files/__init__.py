"""Files as they are on disk: opened without being led astray, compared by content, replaced whole or not at all."""
