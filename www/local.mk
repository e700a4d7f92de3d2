# The demo page and the browser client: plain files, served as they are.
wwwdir = $(pkgdatadir)/www
dist_www_DATA = \
	www/zcast.js
