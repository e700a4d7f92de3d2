# The samples: what the tests and tools/quickstart run.
samplesdir = $(docdir)/examples
nobase_dist_samples_DATA = \
	etc/apache/private.conf etc/apache/zcast-retry.asis etc/apache/zcast.conf \
	etc/lighttpd/private.conf etc/lighttpd/zcast-retry.lua etc/lighttpd/zcast.conf \
	etc/nginx/private.conf etc/nginx/zcast-http.conf etc/nginx/zcast.conf
