"""The inference engine of kimicode: K2.6's tokens, prompt format and server over llama.cpp. Imports nothing of kimicode."""
