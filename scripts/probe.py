"""Prints this Python's path if it can make kimicode's virtual environment; otherwise says why not and exits 1.

Runs on any Python 3, so that an old one can say that it is too old.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the old ones are what this is for
    sys.exit("Python %d.%d is too old" % sys.version_info[:2])  # noqa: UP031
try:
    import ensurepip  # noqa: F401
    import venv  # noqa: F401
except ImportError as error:
    sys.exit("it lacks %s (Debian, Ubuntu: apt install python3-venv)" % error.name)  # noqa: UP031
print(sys.executable)  # noqa: T201
