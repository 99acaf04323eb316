/* IP addresses and prefixes as text. */
#pragma once

#include "dataplane/config.h"

#define ADDRESS_TEXT_SIZE 64

/* `10.77.0.1`, `2001:db8::1`; IPv4 in the first four bytes, the rest zero. */
bool address_from_text(const char *text, uint8_t *family, uint8_t address[16]);
void address_to_text(uint8_t family, const uint8_t address[16], char room[ADDRESS_TEXT_SIZE]);
/* `10.77.0.0/24`; without a length the whole address counts. */
bool prefix_from_text(const char *text, struct config_prefix *out);
void prefix_to_text(const struct config_prefix *prefix, char room[ADDRESS_TEXT_SIZE]);
