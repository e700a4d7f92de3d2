# The Debian packages: tests/packages/run builds and tries them.
EXTRA_DIST += \
	debian/changelog debian/clean debian/control debian/copyright debian/not-installed debian/rules debian/source/format \
	debian/lighttpd/50-zcast.conf \
	debian/zcast-broker.install debian/zcast-broker.postrm \
	debian/zcast-common.dirs debian/zcast-common.install debian/zcast-common.lintian-overrides \
	debian/zcast-common.postinst debian/zcast-common.postrm debian/zcast-common.sysusers \
	debian/zcast-doc.install debian/zcast-fcgi.install debian/zcast-redis.install debian/zcast-tools.install debian/zcast-ws.install \
	tests/packages/inside tests/packages/run
