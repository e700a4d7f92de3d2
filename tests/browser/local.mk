# The browser client: the *.test.mjs run it and the page's ledger under node, test_page.py in Chromium, and some in Firefox, on the whole stack.
EXTRA_DIST += \
	tests/browser/browsers.py \
	tests/browser/conftest.py \
	tests/browser/core.test.mjs \
	tests/browser/ledger.test.mjs \
	tests/browser/node.test.mjs \
	tests/browser/test_console.py \
	tests/browser/test_page.py \
	tests/browser/test_recipes.py \
	tests/browser/test_renderer.py \
	tests/browser/test_streams.py \
	tests/browser/test_torture.py \
	tests/browser/world.mjs \
	tests/browser/zcast.test.mjs

check-client:
	@command -v node >/dev/null || { echo "node is not installed: tools/quickstart check installs it (nodejs)" >&2; exit 1; }
	node --test --test-reporter=spec $(top_srcdir)/tests/browser/*.test.mjs

check-browser: $(sbin_PROGRAMS) $(bin_PROGRAMS) check-clients
	$(PYTEST) -n 2 $(PYTESTFLAGS) $(top_srcdir)/tests/browser

check-local: check-client check-browser

.PHONY: check-client check-browser
