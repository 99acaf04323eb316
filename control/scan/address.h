/* Addresses as people write them. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

/* Reads `address`, `address:port`, `[address]` or `[address]:port`, numeric only, IPv4 or IPv6 (with %scope). Where no
 * port stands there, `port` is taken. */
bool address_read(const char *text, unsigned port, struct sockaddr_storage *out, socklen_t *size);
