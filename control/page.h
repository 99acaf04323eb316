/* The operator's page, control/page.html, as the build embeds it. */
#pragma once

#include <stddef.h>

extern const unsigned char page_html[];
extern const size_t page_html_size;
