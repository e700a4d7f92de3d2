# The samples: what the tests and tools/quickstart run.
samplesdir = $(docdir)/examples
nobase_dist_samples_DATA = \
	etc/zcast.conf \
	etc/apache/private.conf etc/apache/zcast-console.conf etc/apache/zcast-retry.asis etc/apache/zcast.conf \
	etc/lighttpd/events.conf etc/lighttpd/events-spawn.conf etc/lighttpd/events-cgi.conf etc/lighttpd/events.cgi \
	etc/lighttpd/console.conf etc/lighttpd/private.conf etc/lighttpd/retry.lua etc/lighttpd/zcast.conf \
	etc/caddy/Caddyfile etc/caddy/zcast.caddy etc/caddy/events.caddy etc/caddy/events-fcgi.caddy \
	etc/haproxy/zcast.cfg \
	etc/container/Containerfile etc/container/compose.yaml etc/container/site.conf \
	etc/grafana/zcast.json etc/prometheus/zcast.yml etc/prometheus/zcast-alerts.yml \
	etc/nginx/private.conf etc/nginx/zcast-console.conf etc/nginx/zcast-http.conf etc/nginx/zcast.conf etc/nginx/zcast-proxy.conf

# The units, with the paths of this installation in place of the distribution's.
systemdunitdir = $(prefix)/lib/systemd/system
tmpfilesdir = $(prefix)/lib/tmpfiles.d
UNITS = \
	etc/systemd/zcast-broker.service etc/systemd/zcast-fcgi.service etc/systemd/zcast-fcgi.socket \
	etc/systemd/zcast-redis.service etc/systemd/zcast-ws.service
EXTRA_DIST += $(UNITS) etc/systemd/tmpfiles.conf

# The configuration, where there is none yet: what an operator wrote stays.
confdir = $(sysconfdir)/zcast

install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(systemdunitdir)"
	for unit in $(UNITS); do \
	  sed -e 's|/usr/sbin/|$(sbindir)/|' -e 's|/etc/zcast/|$(sysconfdir)/zcast/|' "$(srcdir)/$$unit" \
	    > "$(DESTDIR)$(systemdunitdir)/$${unit##*/}" || exit 1; \
	done
	$(MKDIR_P) "$(DESTDIR)$(tmpfilesdir)"
	$(INSTALL_DATA) "$(srcdir)/etc/systemd/tmpfiles.conf" "$(DESTDIR)$(tmpfilesdir)/zcast.conf"
	test -e "$(DESTDIR)$(confdir)/zcast.conf" || \
	  { $(MKDIR_P) "$(DESTDIR)$(confdir)" && $(INSTALL_DATA) "$(srcdir)/etc/zcast.conf" "$(DESTDIR)$(confdir)/zcast.conf"; }

uninstall-local:
	for unit in $(UNITS); do rm -f "$(DESTDIR)$(systemdunitdir)/$${unit##*/}"; done
	rm -f "$(DESTDIR)$(tmpfilesdir)/zcast.conf"
	! cmp -s "$(srcdir)/etc/zcast.conf" "$(DESTDIR)$(confdir)/zcast.conf" || rm "$(DESTDIR)$(confdir)/zcast.conf"
	-test ! -d "$(DESTDIR)$(confdir)" || rmdir "$(DESTDIR)$(confdir)" 2>/dev/null

# The sample configuration, and what each program knows of the others' keys, is what the programs say of themselves; a test compares.
EXTRA_DIST += etc/zcast.conf.head
update-conf: $(sbin_PROGRAMS) tools/zmq$(EXEEXT)
	{ cat "$(srcdir)/etc/zcast.conf.head" && broker/zcast-broker --help=conf && echo && fcgi/zcast-fcgi --help=conf && echo && \
	  ws/zcast-ws --help=conf && echo && bridge/zcast-redis --help=conf; } > "$(srcdir)/etc/zcast.conf.new"
	mv "$(srcdir)/etc/zcast.conf.new" "$(srcdir)/etc/zcast.conf"
	for program in broker/zcast-broker fcgi/zcast-fcgi ws/zcast-ws bridge/zcast-redis tools/zmq; do \
	  $$program --help=keys || exit 1; done > "$(srcdir)/lib/config/sections.inc.new"
	mv "$(srcdir)/lib/config/sections.inc.new" "$(srcdir)/lib/config/sections.inc"

.PHONY: update-conf
