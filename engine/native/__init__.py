"""Attention kernels of our own, in C++, and how they get into llama.cpp: built at installation, loaded as a backend, measured."""
