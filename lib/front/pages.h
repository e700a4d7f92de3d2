/*  pages.h - the texts of the console's page, from www/: make writes them into pages.inc. */
#ifndef ZC_PAGES_H
#define ZC_PAGES_H

extern const char zc_page_console[], zc_page_app[], zc_page_style[], zc_page_zcast[];

#endif
