"""Patches over several files: three notations read into one form, and that form planned whole before anything is written."""
