"""Sessions: the event log, the store, replay and export."""
