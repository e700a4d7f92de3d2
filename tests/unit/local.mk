# Unit tests, one per module (cmocka). Append your lines between if and endif.
if CMOCKA

check_PROGRAMS += tests/unit/control_test
TESTS += tests/unit/control_test
tests_unit_control_test_SOURCES = tests/unit/control_test.c
tests_unit_control_test_LDADD = $(UNIT_LIBS)
tests_unit_control_test_LDFLAGS = -Wl,--wrap=zc_mono_ms,--wrap=zc_monitor_read

check_PROGRAMS += tests/unit/subscriber_test
TESTS += tests/unit/subscriber_test
tests_unit_subscriber_test_SOURCES = tests/unit/subscriber_test.c tests/unit/unit.h
tests_unit_subscriber_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/instruction_test
TESTS += tests/unit/instruction_test
tests_unit_instruction_test_SOURCES = tests/unit/instruction_test.c tests/unit/unit.h
tests_unit_instruction_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread

check_PROGRAMS += tests/unit/answer_test
TESTS += tests/unit/answer_test
tests_unit_answer_test_SOURCES = tests/unit/answer_test.c tests/unit/unit.h
tests_unit_answer_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/figures_test
TESTS += tests/unit/figures_test
tests_unit_figures_test_SOURCES = tests/unit/figures_test.c tests/unit/unit.h
tests_unit_figures_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/name_test
TESTS += tests/unit/name_test
tests_unit_name_test_SOURCES = tests/unit/name_test.c tests/unit/unit.h
tests_unit_name_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/publisher_test
TESTS += tests/unit/publisher_test
tests_unit_publisher_test_SOURCES = tests/unit/publisher_test.c
tests_unit_publisher_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/resolve_test
TESTS += tests/unit/resolve_test
tests_unit_resolve_test_SOURCES = tests/unit/resolve_test.c tests/unit/unit.h
tests_unit_resolve_test_LDADD = $(UNIT_LIBS)
tests_unit_resolve_test_LDFLAGS = -Wl,--wrap=getaddrinfo,--wrap=freeaddrinfo

check_PROGRAMS += tests/unit/origin_test
TESTS += tests/unit/origin_test
tests_unit_origin_test_SOURCES = tests/unit/origin_test.c
tests_unit_origin_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/selector_test
TESTS += tests/unit/selector_test
tests_unit_selector_test_SOURCES = tests/unit/selector_test.c
tests_unit_selector_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/query_test
TESTS += tests/unit/query_test
tests_unit_query_test_SOURCES = tests/unit/query_test.c
tests_unit_query_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/record_test
TESTS += tests/unit/record_test
tests_unit_record_test_SOURCES = tests/unit/record_test.c
tests_unit_record_test_LDADD = fcgi/libparts.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/busy_test
TESTS += tests/unit/busy_test
tests_unit_busy_test_SOURCES = tests/unit/busy_test.c tests/unit/unit.h
tests_unit_busy_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread

check_PROGRAMS += tests/unit/report_test
TESTS += tests/unit/report_test
tests_unit_report_test_SOURCES = tests/unit/report_test.c tests/unit/unit.h tests/unit/plain.h
tests_unit_report_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/console_test
TESTS += tests/unit/console_test
tests_unit_console_test_SOURCES = tests/unit/console_test.c tests/unit/unit.h
tests_unit_console_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/front_test
TESTS += tests/unit/front_test
tests_unit_front_test_SOURCES = tests/unit/front_test.c tests/unit/unit.h
tests_unit_front_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/publication_test
TESTS += tests/unit/publication_test
tests_unit_publication_test_SOURCES = tests/unit/publication_test.c tests/unit/unit.h
tests_unit_publication_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/histogram_test
TESTS += tests/unit/histogram_test
tests_unit_histogram_test_SOURCES = tests/unit/histogram_test.c tests/unit/unit.h
tests_unit_histogram_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/proxy_test
TESTS += tests/unit/proxy_test
tests_unit_proxy_test_SOURCES = tests/unit/proxy_test.c tests/unit/unit.h
tests_unit_proxy_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/forwarded_test
TESTS += tests/unit/forwarded_test
tests_unit_forwarded_test_SOURCES = tests/unit/forwarded_test.c tests/unit/unit.h
tests_unit_forwarded_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/chunked_test
TESTS += tests/unit/chunked_test
tests_unit_chunked_test_SOURCES = tests/unit/chunked_test.c tests/unit/unit.h
tests_unit_chunked_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/upgrade_test
TESTS += tests/unit/upgrade_test
tests_unit_upgrade_test_SOURCES = tests/unit/upgrade_test.c tests/unit/unit.h
tests_unit_upgrade_test_LDADD = ws/libparts.a $(UNIT_LIBS) $(WSLAY_LIBS) $(ZLIB_LIBS)

check_PROGRAMS += tests/unit/framing_test
TESTS += tests/unit/framing_test
tests_unit_framing_test_SOURCES = tests/unit/framing_test.c
tests_unit_framing_test_LDADD = fcgi/libparts.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/head_test
TESTS += tests/unit/head_test
tests_unit_head_test_SOURCES = tests/unit/head_test.c tests/unit/unit.h
tests_unit_head_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/handover_test
TESTS += tests/unit/handover_test
tests_unit_handover_test_SOURCES = tests/unit/handover_test.c tests/unit/unit.h
tests_unit_handover_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/passage_test
TESTS += tests/unit/passage_test
tests_unit_passage_test_SOURCES = tests/unit/passage_test.c tests/unit/unit.h
tests_unit_passage_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/succession_test
TESTS += tests/unit/succession_test
tests_unit_succession_test_SOURCES = tests/unit/succession_test.c tests/unit/unit.h
tests_unit_succession_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/receiver_test
TESTS += tests/unit/receiver_test
tests_unit_receiver_test_SOURCES = tests/unit/receiver_test.c
tests_unit_receiver_test_LDADD = ws/libparts.a $(UNIT_LIBS) $(WSLAY_LIBS) $(ZLIB_LIBS)

check_PROGRAMS += tests/unit/command_test
TESTS += tests/unit/command_test
tests_unit_command_test_SOURCES = tests/unit/command_test.c
tests_unit_command_test_LDADD = ws/libparts.a $(UNIT_LIBS) $(WSLAY_LIBS) $(ZLIB_LIBS)

check_PROGRAMS += tests/unit/publishes_test
TESTS += tests/unit/publishes_test
tests_unit_publishes_test_SOURCES = tests/unit/publishes_test.c tests/unit/unit.h
tests_unit_publishes_test_LDADD = ws/libparts.a $(UNIT_LIBS) $(WSLAY_LIBS) $(ZLIB_LIBS)
tests_unit_publishes_test_LDFLAGS = -Wl,--wrap=zc_posting_new,--wrap=zc_posting_forget

check_PROGRAMS += tests/unit/frame_test
TESTS += tests/unit/frame_test
tests_unit_frame_test_SOURCES = tests/unit/frame_test.c
tests_unit_frame_test_LDADD = ws/libparts.a $(UNIT_LIBS) $(WSLAY_LIBS) $(ZLIB_LIBS)

check_PROGRAMS += tests/unit/extension_test
TESTS += tests/unit/extension_test
tests_unit_extension_test_SOURCES = tests/unit/extension_test.c tests/unit/unit.h
tests_unit_extension_test_LDADD = ws/libparts.a $(UNIT_LIBS) $(WSLAY_LIBS) $(ZLIB_LIBS)

check_PROGRAMS += tests/unit/deflate_test
TESTS += tests/unit/deflate_test
tests_unit_deflate_test_SOURCES = tests/unit/deflate_test.c tests/unit/unit.h
tests_unit_deflate_test_LDADD = ws/libparts.a $(UNIT_LIBS) $(WSLAY_LIBS) $(ZLIB_LIBS)
check_PROGRAMS += tests/unit/continuity_test
TESTS += tests/unit/continuity_test
tests_unit_continuity_test_SOURCES = tests/unit/continuity_test.c
tests_unit_continuity_test_LDADD = $(UNIT_LIBS)
tests_unit_continuity_test_LDFLAGS = -Wl,--wrap=zc_mono_ms,--wrap=zmq_socket,--wrap=zmq_close,--wrap=zmq_setsockopt,--wrap=zmq_getsockopt,--wrap=zmq_msg_recv,--wrap=zmq_msg_more

# The engine once more, counting its own basic blocks. libFuzzer's builds count for themselves.
if !FUZZERS
check_LIBRARIES = tests/unit/libcounted.a
tests_unit_libcounted_a_SOURCES = \
	lib/base/base64.c lib/base/buf.c lib/base/clock.c lib/base/heap.c lib/base/histogram.c lib/base/slots.c lib/base/table.c lib/base/text.c lib/base/timeouts.c \
	lib/wire/ask.c lib/wire/encoding.c lib/wire/id.c lib/wire/line.c lib/base/log.c lib/base/log_line.c lib/base/timestamp.c lib/wire/matcher.c lib/wire/message.c lib/wire/traceparent.c lib/wire/selector.c lib/wire/answer.c \
	lib/wire/update.c lib/access/grants.c lib/order/losses.c lib/order/order.c \
	lib/engine/channel.c lib/engine/client.c lib/engine/encoder.c lib/engine/feed.c lib/engine/held.c lib/engine/hub.c lib/engine/incidents.c \
	lib/engine/join.c lib/engine/questions.c lib/engine/rounds.c lib/engine/selection.c lib/engine/slow.c lib/engine/subscription.c
tests_unit_libcounted_a_CFLAGS = $(AM_CFLAGS) -fsanitize-coverage=trace-pc

check_PROGRAMS += tests/unit/scale_test
TESTS += tests/unit/scale_test
tests_unit_scale_test_SOURCES = tests/unit/scale_test.c tests/unit/unit.h tests/unit/plain.h
tests_unit_scale_test_LDADD = tests/unit/libcounted.a $(CMOCKA_LIBS) $(JANSSON_LIBS)
tests_unit_scale_test_LDFLAGS = -Wl,--wrap=memmove

check_PROGRAMS += tests/unit/selection_test
TESTS += tests/unit/selection_test
tests_unit_selection_test_SOURCES = tests/unit/selection_test.c tests/unit/unit.h tests/unit/plain.h
tests_unit_selection_test_LDADD = tests/unit/libcounted.a $(CMOCKA_LIBS) $(JANSSON_LIBS)
endif

check_PROGRAMS += tests/unit/update_test
TESTS += tests/unit/update_test
tests_unit_update_test_SOURCES = tests/unit/update_test.c tests/unit/unit.h
tests_unit_update_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/view_test
TESTS += tests/unit/view_test
tests_unit_view_test_SOURCES = tests/unit/view_test.c tests/unit/unit.h tests/unit/plain.h
tests_unit_view_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/ring_test
TESTS += tests/unit/ring_test
tests_unit_ring_test_SOURCES = tests/unit/ring_test.c
tests_unit_ring_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/pump_test
TESTS += tests/unit/pump_test
tests_unit_pump_test_SOURCES = tests/unit/pump_test.c
tests_unit_pump_test_LDADD = fcgi/libparts.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/link_test
TESTS += tests/unit/link_test
tests_unit_link_test_SOURCES = tests/unit/link_test.c tests/unit/unit.h tests/unit/plain.h tests/unit/upstream.h
tests_unit_link_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/worker_test
TESTS += tests/unit/worker_test
tests_unit_worker_test_SOURCES = tests/unit/worker_test.c tests/unit/unit.h tests/unit/upstream.h
tests_unit_worker_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/session_test
TESTS += tests/unit/session_test
tests_unit_session_test_SOURCES = tests/unit/session_test.c tests/unit/unit.h tests/unit/upstream.h
tests_unit_session_test_LDADD = ws/libserver.a ws/libparts.a $(UNIT_LIBS) $(WSLAY_LIBS) $(ZLIB_LIBS) -lpthread

check_PROGRAMS += tests/unit/watch_test
TESTS += tests/unit/watch_test
tests_unit_watch_test_SOURCES = tests/unit/watch_test.c
tests_unit_watch_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/feed_test
TESTS += tests/unit/feed_test
tests_unit_feed_test_SOURCES = tests/unit/feed_test.c
tests_unit_feed_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/sse_test
TESTS += tests/unit/sse_test
tests_unit_sse_test_SOURCES = tests/unit/sse_test.c
tests_unit_sse_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/table_test
TESTS += tests/unit/table_test
tests_unit_table_test_SOURCES = tests/unit/table_test.c tests/unit/unit.h
tests_unit_table_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/slots_test
TESTS += tests/unit/slots_test
tests_unit_slots_test_SOURCES = tests/unit/slots_test.c tests/unit/unit.h
tests_unit_slots_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/timeouts_test
TESTS += tests/unit/timeouts_test
tests_unit_timeouts_test_SOURCES = tests/unit/timeouts_test.c tests/unit/unit.h
tests_unit_timeouts_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/places_test
TESTS += tests/unit/places_test
tests_unit_places_test_SOURCES = tests/unit/places_test.c tests/unit/unit.h
tests_unit_places_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/order_test
TESTS += tests/unit/order_test
tests_unit_order_test_SOURCES = tests/unit/order_test.c tests/unit/unit.h
tests_unit_order_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/held_test
TESTS += tests/unit/held_test
tests_unit_held_test_SOURCES = tests/unit/held_test.c tests/unit/unit.h
tests_unit_held_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/base64_test
TESTS += tests/unit/base64_test
tests_unit_base64_test_SOURCES = tests/unit/base64_test.c tests/unit/unit.h
tests_unit_base64_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/buf_test
TESTS += tests/unit/buf_test
tests_unit_buf_test_SOURCES = tests/unit/buf_test.c tests/unit/unit.h
tests_unit_buf_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/line_test
TESTS += tests/unit/line_test
tests_unit_line_test_SOURCES = tests/unit/line_test.c tests/unit/unit.h
tests_unit_line_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/id_test
TESTS += tests/unit/id_test
tests_unit_id_test_SOURCES = tests/unit/id_test.c tests/unit/unit.h
tests_unit_id_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/timestamp_test
TESTS += tests/unit/timestamp_test
tests_unit_timestamp_test_SOURCES = tests/unit/timestamp_test.c
tests_unit_timestamp_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/eventstream_test
TESTS += tests/unit/eventstream_test
tests_unit_eventstream_test_SOURCES = tests/unit/eventstream_test.c tests/unit/unit.h
tests_unit_eventstream_test_LDADD = tools/libparts.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/doctor_test
TESTS += tests/unit/doctor_test
tests_unit_doctor_test_SOURCES = tests/unit/doctor_test.c tests/unit/unit.h
tests_unit_doctor_test_LDADD = tools/libparts.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/doctor_head_test
TESTS += tests/unit/doctor_head_test
tests_unit_doctor_head_test_SOURCES = tests/unit/doctor_head_test.c tests/unit/unit.h
tests_unit_doctor_head_test_LDADD = tools/libparts.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/doctor_socket_test
TESTS += tests/unit/doctor_socket_test
tests_unit_doctor_socket_test_SOURCES = tests/unit/doctor_socket_test.c tests/unit/unit.h
tests_unit_doctor_socket_test_LDADD = tools/libparts.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/since_test
TESTS += tests/unit/since_test
tests_unit_since_test_SOURCES = tests/unit/since_test.c
tests_unit_since_test_LDADD = tools/libparts.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/format_test
TESTS += tests/unit/format_test
tests_unit_format_test_SOURCES = tests/unit/format_test.c
tests_unit_format_test_LDADD = tools/libparts.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/samples_test
TESTS += tests/unit/samples_test
tests_unit_samples_test_SOURCES = tests/unit/samples_test.c
tests_unit_samples_test_LDADD = tools/libparts.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/ndjson_test
TESTS += tests/unit/ndjson_test
tests_unit_ndjson_test_SOURCES = tests/unit/ndjson_test.c
tests_unit_ndjson_test_LDADD = tools/libparts.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/text_test
TESTS += tests/unit/text_test
tests_unit_text_test_SOURCES = tests/unit/text_test.c tests/unit/unit.h
tests_unit_text_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/message_test
TESTS += tests/unit/message_test
tests_unit_message_test_SOURCES = tests/unit/message_test.c tests/unit/unit.h
tests_unit_message_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/limit_test
TESTS += tests/unit/limit_test
tests_unit_limit_test_SOURCES = tests/unit/limit_test.c tests/unit/unit.h
tests_unit_limit_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/traceparent_test
TESTS += tests/unit/traceparent_test
tests_unit_traceparent_test_SOURCES = tests/unit/traceparent_test.c tests/unit/unit.h
tests_unit_traceparent_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/log_line_test
TESTS += tests/unit/log_line_test
tests_unit_log_line_test_SOURCES = tests/unit/log_line_test.c tests/unit/unit.h
tests_unit_log_line_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/log_test
TESTS += tests/unit/log_test
tests_unit_log_test_SOURCES = tests/unit/log_test.c tests/unit/unit.h tests/unit/capture.h
tests_unit_log_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/zpl_test
TESTS += tests/unit/zpl_test
tests_unit_zpl_test_SOURCES = tests/unit/zpl_test.c tests/unit/unit.h
tests_unit_zpl_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/options_test
TESTS += tests/unit/options_test
tests_unit_options_test_SOURCES = tests/unit/options_test.c tests/unit/unit.h tests/unit/capture.h
tests_unit_options_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/daemon_test
TESTS += tests/unit/daemon_test
tests_unit_daemon_test_SOURCES = tests/unit/daemon_test.c tests/unit/unit.h tests/unit/capture.h
tests_unit_daemon_test_LDADD = $(UNIT_LIBS)
tests_unit_daemon_test_LDFLAGS = -Wl,--wrap=nanosleep

check_PROGRAMS += tests/unit/processes_test
TESTS += tests/unit/processes_test
tests_unit_processes_test_SOURCES = tests/unit/processes_test.c tests/unit/unit.h
tests_unit_processes_test_LDADD = $(UNIT_LIBS)
tests_unit_processes_test_LDFLAGS = -Wl,--wrap=zc_mono_ms

check_PROGRAMS += tests/unit/topics_test
TESTS += tests/unit/topics_test
tests_unit_topics_test_SOURCES = tests/unit/topics_test.c tests/unit/unit.h
tests_unit_topics_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread

check_PROGRAMS += tests/unit/bequest_test
TESTS += tests/unit/bequest_test
tests_unit_bequest_test_SOURCES = tests/unit/bequest_test.c tests/unit/unit.h
tests_unit_bequest_test_LDADD = broker/libbroker.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/dedup_test
TESTS += tests/unit/dedup_test
tests_unit_dedup_test_SOURCES = tests/unit/dedup_test.c tests/unit/unit.h
tests_unit_dedup_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread

check_PROGRAMS += tests/unit/outbox_test
TESTS += tests/unit/outbox_test
tests_unit_outbox_test_SOURCES = tests/unit/outbox_test.c tests/unit/unit.h
tests_unit_outbox_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread

check_PROGRAMS += tests/unit/backlog_test
TESTS += tests/unit/backlog_test
tests_unit_backlog_test_SOURCES = tests/unit/backlog_test.c tests/unit/unit.h
tests_unit_backlog_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread

check_PROGRAMS += tests/unit/late_test
TESTS += tests/unit/late_test
tests_unit_late_test_SOURCES = tests/unit/late_test.c tests/unit/unit.h
tests_unit_late_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread

check_PROGRAMS += tests/unit/position_test
TESTS += tests/unit/position_test
tests_unit_position_test_SOURCES = tests/unit/position_test.c tests/unit/unit.h
tests_unit_position_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread

check_PROGRAMS += tests/unit/barriers_test
TESTS += tests/unit/barriers_test
tests_unit_barriers_test_SOURCES = tests/unit/barriers_test.c tests/unit/unit.h
tests_unit_barriers_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread

check_PROGRAMS += tests/unit/meter_test
TESTS += tests/unit/meter_test
tests_unit_meter_test_SOURCES = tests/unit/meter_test.c tests/unit/unit.h
tests_unit_meter_test_LDADD = broker/libbroker.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/ask_test
TESTS += tests/unit/ask_test
tests_unit_ask_test_SOURCES = tests/unit/ask_test.c tests/unit/unit.h
tests_unit_ask_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread

check_PROGRAMS += tests/unit/history_test
TESTS += tests/unit/history_test
tests_unit_history_test_SOURCES = tests/unit/history_test.c tests/unit/unit.h
tests_unit_history_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread

check_PROGRAMS += tests/unit/layout_test
TESTS += tests/unit/layout_test
tests_unit_layout_test_SOURCES = tests/unit/layout_test.c tests/unit/unit.h
tests_unit_layout_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread

check_PROGRAMS += tests/unit/writer_test
TESTS += tests/unit/writer_test
tests_unit_writer_test_SOURCES = tests/unit/writer_test.c tests/unit/unit.h tests/unit/database.h
tests_unit_writer_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread

check_PROGRAMS += tests/unit/trim_test
TESTS += tests/unit/trim_test
tests_unit_trim_test_SOURCES = tests/unit/trim_test.c tests/unit/unit.h tests/unit/database.h
tests_unit_trim_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread

check_PROGRAMS += tests/unit/reader_test
TESTS += tests/unit/reader_test
tests_unit_reader_test_SOURCES = tests/unit/reader_test.c tests/unit/unit.h tests/unit/database.h
tests_unit_reader_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread

check_PROGRAMS += tests/unit/check_test
TESTS += tests/unit/check_test
tests_unit_check_test_SOURCES = tests/unit/check_test.c tests/unit/unit.h tests/unit/database.h
tests_unit_check_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread
check_PROGRAMS += tests/unit/outgoing_test
TESTS += tests/unit/outgoing_test
tests_unit_outgoing_test_SOURCES = tests/unit/outgoing_test.c tests/unit/unit.h
tests_unit_outgoing_test_LDADD = bridge/libbridge.a $(UNIT_LIBS) $(HIREDIS_LIBS)
tests_unit_outgoing_test_LDFLAGS = -Wl,--wrap=zc_mono_ms

check_PROGRAMS += tests/unit/reply_test
TESTS += tests/unit/reply_test
tests_unit_reply_test_SOURCES = tests/unit/reply_test.c tests/unit/unit.h
tests_unit_reply_test_LDADD = bridge/libbridge.a $(UNIT_LIBS) $(HIREDIS_LIBS)

check_PROGRAMS += tests/unit/sentinel_test
TESTS += tests/unit/sentinel_test
tests_unit_sentinel_test_SOURCES = tests/unit/sentinel_test.c tests/unit/unit.h
tests_unit_sentinel_test_LDADD = $(UNIT_LIBS) $(HIREDIS_LIBS)

check_PROGRAMS += tests/unit/arena_test
TESTS += tests/unit/arena_test
tests_unit_arena_test_SOURCES = tests/unit/arena_test.c tests/unit/unit.h
tests_unit_arena_test_LDADD = $(UNIT_LIBS) $(HIREDIS_LIBS)

check_PROGRAMS += tests/unit/log_entry_test
TESTS += tests/unit/log_entry_test
tests_unit_log_entry_test_SOURCES = tests/unit/log_entry_test.c tests/unit/unit.h
tests_unit_log_entry_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(HIREDIS_LIBS)

check_PROGRAMS += tests/unit/log_state_test
TESTS += tests/unit/log_state_test
tests_unit_log_state_test_SOURCES = tests/unit/log_state_test.c tests/unit/unit.h
tests_unit_log_state_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(HIREDIS_LIBS)

check_PROGRAMS += tests/unit/pending_test
TESTS += tests/unit/pending_test
tests_unit_pending_test_SOURCES = tests/unit/pending_test.c tests/unit/unit.h
tests_unit_pending_test_LDADD = bridge/libbridge.a $(UNIT_LIBS) $(HIREDIS_LIBS)

check_PROGRAMS += tests/unit/subscriptions_test
TESTS += tests/unit/subscriptions_test
tests_unit_subscriptions_test_SOURCES = tests/unit/subscriptions_test.c tests/unit/unit.h
tests_unit_subscriptions_test_LDADD = bridge/libbridge.a $(UNIT_LIBS) $(HIREDIS_LIBS)

check_PROGRAMS += tests/unit/entries_test
TESTS += tests/unit/entries_test
tests_unit_entries_test_SOURCES = tests/unit/entries_test.c tests/unit/unit.h
tests_unit_entries_test_LDADD = bridge/libbridge.a $(UNIT_LIBS) $(HIREDIS_LIBS)

check_PROGRAMS += tests/unit/bridge_test
TESTS += tests/unit/bridge_test
tests_unit_bridge_test_SOURCES = tests/unit/bridge_test.c tests/unit/unit.h
tests_unit_bridge_test_LDADD = bridge/libbridge.a $(UNIT_LIBS) $(HIREDIS_LIBS)

check_PROGRAMS += tests/unit/access_test
TESTS += tests/unit/access_test
tests_unit_access_test_SOURCES = tests/unit/access_test.c tests/unit/unit.h
tests_unit_access_test_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/curve_test
TESTS += tests/unit/curve_test
tests_unit_curve_test_SOURCES = tests/unit/curve_test.c tests/unit/unit.h
tests_unit_curve_test_LDADD = broker/libbroker.a $(UNIT_LIBS) $(LMDB_LIBS) -lpthread

check_PROGRAMS += tests/unit/token_test
TESTS += tests/unit/token_test
tests_unit_token_test_SOURCES = tests/unit/token_test.c tests/unit/unit.h
tests_unit_token_test_LDADD = $(UNIT_LIBS)

endif

check-local: check-cmocka
check-cmocka:
	@test "$(have_cmocka)" = yes || { echo "cmocka is not installed (libcmocka-dev): no unit test was built" >&2; exit 1; }

.PHONY: check-cmocka
