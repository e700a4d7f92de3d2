# Unit tests, one per module (cmocka). Append your lines between if and endif.
if CMOCKA

endif
