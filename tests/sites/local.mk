# Three sites in network namespaces, under faults: `sudo SITES=10m make sites` (5 min by default; `make check` runs a short form).
EXTRA_DIST += tests/sites/sites.py tests/sites/network.py tests/sites/cost.py tests/sites/cost.json tests/sites/speed.py

sites: all
	ZCAST_BUILD="$(abs_top_builddir)" PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 $(top_srcdir)/tests/sites/sites.py $(SITES_FLAGS)

.PHONY: sites
