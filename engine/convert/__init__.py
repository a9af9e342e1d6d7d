"""Hugging Face checkpoints of Kimi K2 turned into GGUF files that llama.cpp runs, weights kept bit for bit where the types allow it."""
