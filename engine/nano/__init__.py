"""kimi-nano: a small model of K2.6's architecture, its generated training data and its trainer."""
