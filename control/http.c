#include "control/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/overview.h"
#include "control/page.h"
#include "dataplane/clock.h"

#define CONNECTIONS_MAX 64
#define CONNECTION_MEMORY 16384
#define TIMEOUT_S 10
#define REFRESH_NS UINT64_C(500000000) /* the dataplane is asked at most this often */
#define WAIT_MS_MAX 1000

struct http {
    struct MHD_Daemon *daemon;
    const struct service *service;
    struct telemetry telemetry;
    uint64_t asked_ns;
};

static const struct telemetry *fresh_telemetry(struct http *http)
{
    uint64_t now_ns = clock_monotonic_ns();
    if (http->asked_ns == 0 || now_ns - http->asked_ns > REFRESH_NS) {
        telemetry_free(&http->telemetry);
        telemetry_read(http->service->config->control.telemetry, &http->telemetry);
        http->asked_ns = now_ns;
    }
    return &http->telemetry;
}

static struct MHD_Response *page_response(struct http *http)
{
    (void)http;
    return MHD_create_response_from_buffer(page_html_size, (void *)(uintptr_t)page_html, MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *text_response(char *text)
{
    return text ? MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE) : NULL;
}

static struct MHD_Response *metrics_response(struct http *http)
{
    return text_response(overview_metrics(http->service, fresh_telemetry(http)));
}

static struct MHD_Response *state_response(struct http *http)
{
    cJSON *state = overview_page_json(http->service, fresh_telemetry(http));
    char *text = cJSON_PrintUnformatted(state);
    cJSON_Delete(state);
    return text_response(text);
}

static const struct resource {
    const char *path, *type;
    struct MHD_Response *(*make)(struct http *http);
} resources[] = {
    {"/", "text/html; charset=utf-8", page_response},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", metrics_response},
    {"/state", "application/json", state_response},
};

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status)
{
    static char nothing[1];
    struct MHD_Response *response = MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *data_size, void **request)
{
    struct http *http = context;
    const struct resource *found = NULL;
    (void)version;
    (void)data;
    (void)request;
    if ((strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) || *data_size > 0)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED);
    for (unsigned i = 0; i < sizeof resources / sizeof resources[0]; i++)
        if (strcmp(resources[i].path, url) == 0)
            found = &resources[i];
    if (!found)
        return refuse(connection, MHD_HTTP_NOT_FOUND);
    struct MHD_Response *response = found->make(http);
    if (!response)
        return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, found->type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Content-Security-Policy",
                            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                            "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

/* The configuration's reader has checked the form. */
static socklen_t parse_address(const char *where, struct sockaddr_storage *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    char host[64];
    const char *colon = strrchr(where, ':');
    uint16_t port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    bool bracketed = where[0] == '[';
    snprintf(host, sizeof host, "%.*s", (int)(colon - where) - 2 * bracketed, where + bracketed);
    memset(out, 0, sizeof *out);
    if (bracketed) {
        *six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        return inet_pton(AF_INET6, host, &six->sin6_addr) == 1 ? sizeof *six : 0;
    }
    *four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
    return inet_pton(AF_INET, host, &four->sin_addr) == 1 ? sizeof *four : 0;
}

struct http *http_open(const char *where, const struct service *service, char *error, size_t error_size)
{
    struct sockaddr_storage address;
    struct http *http = calloc(1, sizeof *http);
    if (http && parse_address(where, &address) > 0) {
        http->service = service;
        unsigned flags = MHD_USE_EPOLL | (address.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);
        http->daemon = MHD_start_daemon(flags, 0, NULL, NULL, answer, http, MHD_OPTION_SOCK_ADDR, &address,
                                        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                                        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
                                        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S, MHD_OPTION_END);
    }
    if (http && http->daemon)
        return http;
    snprintf(error, error_size, "cannot listen on http://%s: %s", where, strerror(errno));
    free(http);
    return NULL;
}

void http_close(struct http *http)
{
    MHD_stop_daemon(http->daemon);
    telemetry_free(&http->telemetry);
    free(http);
}

int http_fd(const struct http *http)
{
    return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

int http_wait_ms(const struct http *http)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    if (MHD_get_timeout(http->daemon, &wait_ms) != MHD_YES)
        return -1;
    return wait_ms > WAIT_MS_MAX ? WAIT_MS_MAX : (int)wait_ms;
}

void http_run(struct http *http)
{
    MHD_run(http->daemon);
}
