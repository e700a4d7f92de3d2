# Unit tests, one per module (cmocka). Append your lines between if and endif.
if CMOCKA

check_PROGRAMS += tests/unit/control_test
TESTS += tests/unit/control_test
tests_unit_control_test_SOURCES = tests/unit/control_test.c
tests_unit_control_test_LDADD = $(UNIT_LIBS)

endif
