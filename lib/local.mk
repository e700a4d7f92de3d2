noinst_LIBRARIES += libzcast.a
libzcast_a_SOURCES = \
	lib/base/base64.c lib/base/base64.h \
	lib/base/buf.c lib/base/buf.h \
	lib/base/clock.c lib/base/clock.h \
	lib/base/daemon.c lib/base/daemon.h \
	lib/base/heap.c lib/base/heap.h \
	lib/base/limit.c lib/base/limit.h \
	lib/base/histogram.c lib/base/histogram.h \
	lib/base/listen.c lib/base/listen.h \
	lib/base/log.c lib/base/log.h \
	lib/base/log_line.c lib/base/log_line.h \
	lib/base/passage.c lib/base/passage.h \
	lib/base/processes.c lib/base/processes.h \
	lib/base/resolve.c lib/base/resolve.h \
	lib/base/slots.c lib/base/slots.h \
	lib/base/succession.c lib/base/succession.h \
	lib/base/table.c lib/base/table.h \
	lib/base/text.c lib/base/text.h \
	lib/base/timeouts.c lib/base/timeouts.h \
	lib/base/timestamp.c lib/base/timestamp.h \
	lib/config/logging.c lib/config/logging.h \
	lib/config/nearest.c lib/config/nearest.h \
	lib/config/option_help.c \
	lib/config/option_table.c \
	lib/config/option_set.c \
	lib/config/option_value.c \
	lib/config/options.c lib/config/options.h \
	lib/config/options_environment.c \
	lib/config/options_context.c \
	lib/config/options_file.c \
	lib/config/options_line.c \
	lib/config/options_mistake.c \
	lib/config/options_private.h \
	lib/config/sections.c lib/config/sections.h lib/config/sections.inc \
	lib/config/zpl.c lib/config/zpl.h \
	lib/wire/answer.c lib/wire/answer.h \
	lib/wire/ask.c lib/wire/ask.h \
	lib/wire/chunked.c lib/wire/chunked.h \
	lib/wire/encoding.c lib/wire/encoding.h \
	lib/wire/field.c lib/wire/field.h \
	lib/wire/figures.c lib/wire/figures.h \
	lib/wire/forwarded.c lib/wire/forwarded.h \
	lib/wire/proxy.c lib/wire/proxy.h \
	lib/wire/tagged.c lib/wire/tagged.h \
	lib/wire/handover.c lib/wire/handover.h \
	lib/wire/head.c lib/wire/head.h \
	lib/wire/id.c lib/wire/id.h \
	lib/wire/instruction.c lib/wire/instruction.h \
	lib/wire/line.c lib/wire/line.h \
	lib/wire/matcher.c lib/wire/matcher.h \
	lib/wire/message.c lib/wire/message.h \
	lib/wire/origin.c lib/wire/origin.h \
	lib/wire/query.c lib/wire/query.h \
	lib/wire/selector.c lib/wire/selector.h \
	lib/wire/sse.c lib/wire/sse.h \
	lib/wire/traceparent.c lib/wire/traceparent.h \
	lib/wire/update.c lib/wire/update.h \
	lib/access/access.c lib/access/access.h \
	lib/access/apikeys.c lib/access/apikeys.h \
	lib/access/certificate.c lib/access/certificate.h \
	lib/access/grants.c lib/access/grants.h \
	lib/access/keys.c lib/access/keys.h \
	lib/access/revocations.c lib/access/revocations.h \
	lib/access/rules.c lib/access/rules.h \
	lib/access/token.c lib/access/token.h \
	lib/order/losses.c lib/order/losses.h \
	lib/order/order.c lib/order/order.h \
	lib/peer/context.c lib/peer/context.h \
	lib/peer/curve.c lib/peer/curve.h \
	lib/peer/control.c lib/peer/control.h \
	lib/peer/monitor.c lib/peer/monitor.h \
	lib/peer/publisher.c lib/peer/publisher.h \
	lib/peer/redial.c lib/peer/redial.h \
	lib/peer/places.c lib/peer/places.h \
	lib/peer/name.c lib/peer/name.h \
	lib/peer/subscriber.c lib/peer/subscriber.h \
	lib/redis/address.c lib/redis/address.h \
	lib/redis/arena.c lib/redis/arena.h \
	lib/redis/redis.c lib/redis/redis.h \
	lib/redis/reply.c lib/redis/reply.h \
	lib/redis/sentinel.c lib/redis/sentinel.h \
	lib/engine/channel.c lib/engine/channel.h \
	lib/engine/client.c lib/engine/client.h \
	lib/engine/encoder.c lib/engine/encoder.h \
	lib/engine/feed.c lib/engine/feed.h \
	lib/engine/giver.c lib/engine/giver.h \
	lib/engine/taker.c lib/engine/taker.h \
	lib/engine/held.c lib/engine/held.h \
	lib/engine/incidents.c lib/engine/incidents.h \
	lib/engine/report.c lib/engine/report.h \
	lib/engine/hub.c lib/engine/hub.h \
	lib/engine/join.c lib/engine/join.h \
	lib/engine/duties.c lib/engine/duties.h \
	lib/engine/link.c lib/engine/link.h \
	lib/engine/registry.c lib/engine/registry.h \
	lib/engine/pump.c lib/engine/pump.h \
	lib/engine/questions.c lib/engine/questions.h \
	lib/engine/ring.c lib/engine/ring.h \
	lib/engine/rounds.c lib/engine/rounds.h \
	lib/engine/ages.c lib/engine/ages.h \
	lib/engine/selection.c lib/engine/selection.h \
	lib/engine/settings.h \
	lib/engine/shared.h \
	lib/engine/slow.c lib/engine/slow.h \
	lib/engine/subscription.c lib/engine/subscription.h \
	lib/engine/watch.c lib/engine/watch.h \
	lib/engine/worker.c lib/engine/worker.h \
	lib/front/address.c lib/front/address.h \
	lib/front/console.c lib/front/console.h lib/front/ticker.c lib/front/ticker.h \
	lib/front/cors.c lib/front/cors.h \
	lib/front/events.c lib/front/events.h \
	lib/front/front.c lib/front/front.h \
	lib/front/health.c lib/front/health.h \
	lib/front/posting.c lib/front/posting.h \
	lib/front/publication.c lib/front/publication.h \
	lib/front/publish.c lib/front/publish.h \
	lib/front/keeper.c lib/front/keeper.h \
	lib/front/passport.c lib/front/passport.h \
	lib/front/metrics.c lib/front/metrics.h \
	lib/front/pages.c lib/front/pages.h \
	lib/front/inquiry.c lib/front/inquiry.h \
	lib/front/request.c lib/front/request.h \
	lib/front/response.c lib/front/response.h

# The console's page, as strings; \? since ?? may begin a trigraph.
console_pages = lib/front/console.html.inc lib/front/console.js.inc lib/front/console.css.inc lib/front/zcast.js.inc
lib/front/pages.$(OBJEXT): $(console_pages)
lib/front/console.html.inc: www/console.html
lib/front/console.js.inc: www/console.js
lib/front/console.css.inc: www/console.css
lib/front/zcast.js.inc: www/zcast.js
$(console_pages):
	$(AM_V_GEN)$(MKDIR_P) lib/front && sed 's/\\/\\\\/g; s/["?]/\\&/g; s/^/"/; s/$$/\\n"/' "$(srcdir)/www/$(@F:.inc=)" > $@.new && mv $@.new $@
CLEANFILES += $(console_pages)
EXTRA_DIST += www/console.html www/console.js www/console.css
