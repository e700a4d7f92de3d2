"""doc/performance.md from doc/performance.json."""
import os

DOC = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
                   "doc")


def write(kept):
    pass
