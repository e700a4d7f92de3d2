# A whole installation under faults: `SOAK=2h make soak` (1 h by default; `make check` runs 40 s). Its report is in soak/.
EXTRA_DIST += tests/soak/soak.py tests/soak/flat.py tests/soak/chart.py

soak: all
	ZCAST_BUILD="$(abs_top_builddir)" PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 $(top_srcdir)/tests/soak/soak.py --folder soak

.PHONY: soak
