# Documentation.
EXTRA_DIST += doc/deployment.md doc/protocol.md
