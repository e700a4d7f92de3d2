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
