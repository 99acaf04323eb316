/* QR codes (ISO/IEC 18004) of an alphanumeric text. */
#pragma once

#include <stdbool.h>

/* Prints the code with half-block characters, dark on light, quiet zone included. */
bool qr_print(const char *text);
/* Writes a PNG file of 8 pixels a module. Both report on standard error. */
bool qr_write_png(const char *text, const char *path);
