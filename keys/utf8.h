/* UTF-8 (RFC 3629). */
#pragma once

#include "keys/bytes.h"

/* Whether all of `text` is UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool utf8_valid(struct bytes text);
