"""Sessions: an append-only log of events on disk, found again, rebuilt and exported."""
