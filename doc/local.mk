# Documentation. The manual pages' options come from the programs themselves (--help=man), so they cannot differ.
MANUALS = doc/zcast-broker.8 doc/zcast-fcgi.8 doc/zcast-ws.8 doc/zcast-redis.8 doc/zcast.conf.5
OPTION_LISTS = doc/zcast-broker.options doc/zcast-fcgi.options doc/zcast-ws.options doc/zcast-redis.options
FILL_IN = $(AWK) -v version=$(VERSION) -v sysconfdir="$(sysconfdir)" -v docdir="$(docdir)" -v tail="$(srcdir)/doc/zcast-tail.man" -f "$(srcdir)/doc/man.awk"

COMMAND_LISTS = doc/zmq-pub.options doc/zmq-sub.options doc/zmq-topics.options doc/zmq-history.options doc/zmq-purge.options doc/zmq-top.options doc/zmq-latency.options doc/zmq-bench.options doc/zmq-context.options doc/zmq-stat.options doc/zmq-ping.options doc/zmq-token.options doc/zmq-keygen.options doc/zmq-doctor.options

man_MANS += $(MANUALS) doc/zmq.1
CLEANFILES += $(MANUALS) $(OPTION_LISTS) doc/zmq.1 $(COMMAND_LISTS)
EXTRA_DIST += doc/man.awk doc/zcast-tail.man $(MANUALS:=.in) doc/zmq.1.in

# The documents, laid out as here, so that their links lead somewhere.
nobase_dist_doc_DATA = \
	README.md ARCHITECTURE.md CONTRIBUTING.md NEWS.md LICENSE \
	doc/access.md doc/browser.md doc/logs.md doc/observe.md doc/dashboard.png doc/deployment.md doc/protocol.md doc/publishing.md doc/recipes.md doc/scale.md doc/upgrade.md \
	doc/troubleshooting.md doc/sizing.md doc/openapi.yaml doc/asyncapi.yaml \
	doc/performance.md doc/performance-cpu.svg doc/performance-growth.svg doc/performance-latency.svg \
	doc/profile-case-1.svg doc/profile-case-4.svg \
	tools/feed-metrics

doc/zcast-broker.options: broker/zcast-broker$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc && broker/zcast-broker --help=man > $@.new && mv $@.new $@
doc/zcast-fcgi.options: fcgi/zcast-fcgi$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc && fcgi/zcast-fcgi --help=man > $@.new && mv $@.new $@
doc/zcast-ws.options: ws/zcast-ws$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc && ws/zcast-ws --help=man > $@.new && mv $@.new $@
doc/zcast-redis.options: bridge/zcast-redis$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc && bridge/zcast-redis --help=man > $@.new && mv $@.new $@

$(MANUALS) doc/zmq.1: Makefile
$(MANUALS): doc/man.awk doc/zcast-tail.man
doc/zcast-broker.8: doc/zcast-broker.8.in doc/zcast-broker.options
	$(AM_V_GEN)$(FILL_IN) -v options=doc/zcast-broker.options "$(srcdir)/doc/zcast-broker.8.in" > $@
doc/zcast-fcgi.8: doc/zcast-fcgi.8.in doc/zcast-fcgi.options
	$(AM_V_GEN)$(FILL_IN) -v options=doc/zcast-fcgi.options "$(srcdir)/doc/zcast-fcgi.8.in" > $@
doc/zcast-ws.8: doc/zcast-ws.8.in doc/zcast-ws.options
	$(AM_V_GEN)$(FILL_IN) -v options=doc/zcast-ws.options "$(srcdir)/doc/zcast-ws.8.in" > $@
doc/zcast-redis.8: doc/zcast-redis.8.in doc/zcast-redis.options
	$(AM_V_GEN)$(FILL_IN) -v options=doc/zcast-redis.options "$(srcdir)/doc/zcast-redis.8.in" > $@
$(COMMAND_LISTS): tools/zmq$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc && command=$@ && command=$${command#doc/zmq-} && \
	  tools/zmq $${command%.options} --help=man > $@.new && mv $@.new $@
doc/zmq.1: doc/zmq.1.in doc/man.awk $(COMMAND_LISTS)
	$(AM_V_GEN)$(FILL_IN) -v commands=doc/zmq "$(srcdir)/doc/zmq.1.in" > $@
doc/zcast.conf.5: doc/zcast.conf.5.in $(OPTION_LISTS)
	$(AM_V_GEN)$(FILL_IN) -v keys="broker:doc/zcast-broker.options fcgi:doc/zcast-fcgi.options ws:doc/zcast-ws.options bridge:doc/zcast-redis.options" \
	  "$(srcdir)/doc/zcast.conf.5.in" > $@
