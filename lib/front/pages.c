/*  pages.c - see pages.h. */
#include "lib/front/pages.h"

const char zc_page_console[] =
#include "lib/front/console.html.inc"
    ;
const char zc_page_app[] =
#include "lib/front/console.js.inc"
    ;
const char zc_page_style[] =
#include "lib/front/console.css.inc"
    ;
const char zc_page_zcast[] =
#include "lib/front/zcast.js.inc"
    ;
