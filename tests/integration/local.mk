# Integration tests: private daemons, web servers and Redis in temporary folders. Debian's python3, whose packages they use.
# Six at a time, since most of them wait most of the time; PYTESTFLAGS='-n 0' for one. One that fails runs once more, alone.
PYTEST = ZCAST_BUILD="$(abs_top_builddir)" PYTHONDONTWRITEBYTECODE=1 \
	/usr/bin/python3 $(top_srcdir)/tests/again.py "$(abs_top_builddir)/tests/.again-$@"

EXTRA_DIST += tests/again.py tests/integration tests/other-release

dist-hook:
	find "$(distdir)" -name __pycache__ -type d -exec rm -r {} +

check-integration: $(sbin_PROGRAMS) $(bin_PROGRAMS) $(man_MANS) check-clients
	$(PYTEST) -n 6 $(PYTESTFLAGS) $(top_srcdir)/tests/integration

check-local: check-integration

.PHONY: check-integration
