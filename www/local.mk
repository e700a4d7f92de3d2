# The demo page and the browser client: plain files, served as they are.
wwwdir = $(pkgdatadir)/www
dist_www_DATA = \
	www/dashboard.js \
	www/icon.svg \
	www/index.html \
	www/ledger.js \
	www/plot.js \
	www/style.css \
	www/text.js \
	www/zcast.js

# Tells node, which runs the client's tests, that these files are modules.
EXTRA_DIST += www/package.json

# What zcast.js is made of, by clients/js/join.mjs; and the npm package.
EXTRA_DIST += \
	clients/js/README.md \
	clients/js/all.d.ts \
	clients/js/core.d.ts \
	clients/js/empty.d.ts \
	clients/js/join.mjs \
	clients/js/once.d.ts \
	clients/js/package.json \
	clients/js/publish.d.ts \
	clients/js/react.d.ts \
	clients/js/react.js \
	clients/js/src/all.js \
	clients/js/src/base.js \
	clients/js/src/claims.js \
	clients/js/src/core.js \
	clients/js/src/frames.js \
	clients/js/src/index.js \
	clients/js/src/iterate.js \
	clients/js/src/line.js \
	clients/js/src/lone.js \
	clients/js/src/node.js \
	clients/js/src/publish.js \
	clients/js/src/share.js \
	clients/js/src/stream.js \
	clients/js/src/subscription.js \
	clients/js/src/token.js \
	clients/js/src/transports.js \
	clients/js/src/trunk.js \
	clients/js/vue.d.ts \
	clients/js/vue.js \
	clients/js/zcast.d.ts

# The Python package: README.md says how to build it.
EXTRA_DIST += \
	clients/python/README.md \
	clients/python/pyproject.toml \
	clients/python/src/zcast/__init__.py \
	clients/python/src/zcast/connection.py \
	clients/python/src/zcast/errors.py \
	clients/python/src/zcast/events.py \
	clients/python/src/zcast/frames.py \
	clients/python/src/zcast/publish.py \
	clients/python/src/zcast/py.typed \
	clients/python/src/zcast/stream.py \
	clients/python/src/zcast/tokens.py
