# SSE clients and proxies of others, which the integration and browser tests run: npm's from the lock file, Python's from
# requirements.txt, both into the build folder. Where they can't be had, the tests that need them say so.
EXTRA_DIST += \
	tests/clients/bundle.mjs \
	tests/clients/client.mjs \
	tests/clients/client.py \
	tests/clients/compress.mjs \
	tests/clients/package-lock.json \
	tests/clients/package.json \
	tests/clients/requirements.txt \
	tests/clients/specs.mjs

tests/clients/.installed: $(srcdir)/tests/clients/package-lock.json $(srcdir)/tests/clients/requirements.txt
	@$(MKDIR_P) tests/clients
	@test "$(srcdir)" -ef . || cp -f "$(srcdir)/tests/clients/package.json" "$(srcdir)/tests/clients/package-lock.json" tests/clients
	cd tests/clients && npm ci --ignore-scripts --no-audit --no-fund
	/usr/bin/python3 -m pip install -q --no-deps --require-hashes --disable-pip-version-check --root-user-action=ignore \
	  --upgrade --target tests/clients/python -r "$(srcdir)/tests/clients/requirements.txt"
	@touch $@

check-clients:
	@$(MAKE) --no-print-directory tests/clients/.installed || \
	  echo "The clients of others can't be installed: tests that need them will fail" >&2

clean-clients:
	rm -rf tests/clients/node_modules tests/clients/python tests/clients/wheel tests/clients/.wheel.lock tests/clients/.installed
	test "$(srcdir)" -ef . || rm -f tests/clients/package.json tests/clients/package-lock.json

clean-local: clean-clients

.PHONY: check-clients clean-clients
