/*  script.c - script.lua as a string; make writes script.inc from it. */
#include "broker/log/script.h"

const char zc_log_script[] =
#include "broker/log/script.inc"
    ;
