# The browser client's tests: zcast.test.mjs runs under node without a browser.
EXTRA_DIST += \
	tests/browser/world.mjs \
	tests/browser/zcast.test.mjs

check-client:
	@command -v node >/dev/null || { echo "node is not installed: tools/quickstart check installs it (nodejs)" >&2; exit 1; }
	node --test --test-reporter=spec $(top_srcdir)/tests/browser/zcast.test.mjs

check-local: check-client

.PHONY: check-client
