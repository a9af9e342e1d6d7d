"""What there is to see of a session, as frozen values made by pure functions from events."""
