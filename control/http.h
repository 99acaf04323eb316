/* /metrics (Prometheus), the operator's page, and the JSON behind it, for reading only. Served by libmicrohttpd in the
 * daemon's own thread: its one descriptor is polled with the others. */
#pragma once

#include "control/service.h"

struct http;

/* Listens on `address:port` or `[address]:port`. NULL with one line in `error`. `service` outlives it. */
struct http *http_open(const char *where, const struct service *service, char *error, size_t error_size);
void http_close(struct http *http);

/* To be polled for reading; negative never happens. */
int http_fd(const struct http *http);
/* Milliseconds after which http_run wants to be called all the same; -1: never. */
int http_wait_ms(const struct http *http);
void http_run(struct http *http);
