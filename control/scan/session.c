#include "control/scan/chengmen_scan.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "control/scan/address.h"
#include "control/scan/exchange.h"
#include "control/scan/payload.h"
#include "dataplane/clock.h"

#define ECHO_SIZE_MAX 40 /* RFC 9175 section 2.2.1 */
#define ATTEMPTS_MAX 2   /* the request, and once more with the Echo that was asked for */

struct echo {
    uint8_t value[ECHO_SIZE_MAX];
    size_t size;
};

struct chengmen_scan {
    int socket;
    uint32_t deadline_ms;
    uint32_t next_id;
    uint16_t next_message_id;
    struct exchange exchange;
    uint8_t datagram[EXCHANGE_MESSAGE_MAX + 1]; /* one more than we would send, so that a cut one shows */
    uint8_t payload[EXCHANGE_MESSAGE_MAX];
};

static int socket_open(const struct chengmen_scan_options *options, char *error, size_t error_size)
{
    struct sockaddr_storage to, from;
    socklen_t to_size, from_size;
    if (!options->appliance || !address_read(options->appliance, COAP_PORT, &to, &to_size)) {
        snprintf(error, error_size, "not an address: %s", options->appliance ? options->appliance : "(none)");
        return -1;
    }
    if (options->from && !address_read(options->from, 0, &from, &from_size)) {
        snprintf(error, error_size, "not an address: %s", options->from);
        return -1;
    }
    int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        snprintf(error, error_size, "socket: %s", strerror(errno));
    else if (options->from && bind(fd, (struct sockaddr *)&from, from_size) != 0)
        snprintf(error, error_size, "cannot send from %s: %s", options->from, strerror(errno));
    else if (connect(fd, (struct sockaddr *)&to, to_size) != 0)
        snprintf(error, error_size, "cannot send to %s: %s", options->appliance, strerror(errno));
    else
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

struct chengmen_scan *chengmen_scan_open(const struct chengmen_scan_options *options, char *error, size_t error_size)
{
    struct chengmen_scan *scan = calloc(1, sizeof *scan);
    if (!scan) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    if (options->context_file) {
        snprintf(error, error_size, "OSCORE is not supported yet: %s", options->context_file);
        free(scan);
        return NULL;
    }
    scan->deadline_ms = options->deadline_ms;
    scan->socket = socket_open(options, error, error_size);
    if (scan->socket < 0) {
        free(scan);
        return NULL;
    }
    if (getrandom(&scan->next_id, sizeof scan->next_id, 0) < 0 ||
        getrandom(&scan->next_message_id, sizeof scan->next_message_id, 0) < 0) {
        snprintf(error, error_size, "no randomness: %s", strerror(errno));
        chengmen_scan_close(scan);
        return NULL;
    }
    return scan;
}

void chengmen_scan_close(struct chengmen_scan *scan)
{
    if (!scan)
        return;
    close(scan->socket);
    free(scan);
}

/* What the network may yet recover from is a lost datagram: a neighbour not resolved, a port closed while the
 * appliance restarts. An ICMP error may also be forged. */
static bool error_is_loss(int number)
{
    return number == EAGAIN || number == EINTR || number == ECONNREFUSED || number == EHOSTUNREACH || number == ENOBUFS;
}

static bool datagram_send(struct chengmen_scan *scan, const uint8_t *data, size_t size)
{
    return send(scan->socket, data, size, 0) >= 0 || error_is_loss(errno);
}

/* Builds POST /v into the exchange. False where it does not fit. */
static bool message_build(struct chengmen_scan *scan, struct bytes payload, const struct echo *echo)
{
    struct exchange *e = &scan->exchange;
    if (getrandom(e->token, sizeof e->token, 0) != sizeof e->token)
        return false;
    e->message_id = scan->next_message_id++;
    struct coap_writer out = coap_write(e->message, sizeof e->message, COAP_CON, COAP_POST, e->message_id,
                                        (struct bytes){e->token, sizeof e->token});
    coap_put_option(&out, COAP_OPTION_URI_PATH, bytes_of_text("v"));
    coap_put_option_uint(&out, COAP_OPTION_CONTENT_FORMAT, COAP_FORMAT_CBOR);
    if (echo->size)
        coap_put_option(&out, COAP_OPTION_ECHO, (struct bytes){echo->value, echo->size});
    coap_put_payload(&out, payload);
    e->message_size = coap_written(&out);
    return e->message_size > 0;
}

static bool has_format_cbor(const struct coap_message *response)
{
    const struct coap_option *format = coap_find(response, COAP_OPTION_CONTENT_FORMAT);
    uint32_t value;
    return format && coap_option_uint(format, &value) && value == COAP_FORMAT_CBOR;
}

static bool has_critical_option(const struct coap_message *response)
{
    for (unsigned i = 0; i < response->option_count; i++)
        if (response->options[i].number & 1)
            return true;
    return false;
}

static void echo_read(const struct coap_message *response, struct echo *echo)
{
    const struct coap_option *option = coap_find(response, COAP_OPTION_ECHO);
    if (response->code != COAP_UNAUTHORIZED || !option || option->value.length > ECHO_SIZE_MAX)
        return;
    memcpy(echo->value, option->value.data, option->value.length);
    echo->size = option->value.length;
}

/* A response with our token becomes an answer; an Echo challenge is left in `echo`. */
static void answer_read(const struct coap_message *response, uint32_t id, struct chengmen_scan_answer *answer,
                        struct echo *echo)
{
    answer->coap_code = response->code;
    answer->result = CHENGMEN_SCAN_INVALID;
    if (has_critical_option(response))
        return;
    if (response->code >> 5 == 2) {
        if (response->code == COAP_CONTENT && has_format_cbor(response) &&
            payload_read_verdict(response->payload, id, answer))
            answer->result = CHENGMEN_SCAN_VERDICT;
        return;
    }
    answer->result = CHENGMEN_SCAN_REFUSED;
    if (has_format_cbor(response))
        answer->reason = payload_read_reason(response->payload);
    const struct coap_option *max_age = coap_find(response, COAP_OPTION_MAX_AGE);
    if (max_age && !coap_option_uint(max_age, &answer->max_age_s))
        answer->max_age_s = 0;
    echo_read(response, echo);
}

/* Takes one datagram if one is there. True where the exchange has ended. */
static bool datagram_take(struct chengmen_scan *scan, struct chengmen_scan_answer *answer, struct echo *echo)
{
    ssize_t size = recv(scan->socket, scan->datagram, sizeof scan->datagram, 0);
    if (size < 0) {
        answer->result = CHENGMEN_SCAN_NETWORK;
        return !error_is_loss(errno);
    }
    if ((size_t)size == sizeof scan->datagram)
        return false;
    struct coap_message response;
    struct exchange_reply reply;
    enum exchange_step step = exchange_receive(&scan->exchange, (struct bytes){scan->datagram, (size_t)size},
                                               clock_monotonic_ns(), &response, &reply);
    if (reply.size)
        datagram_send(scan, reply.data, reply.size);
    if (step == EXCHANGE_RESPONSE)
        answer_read(&response, answer->id, answer, echo);
    else if (step == EXCHANGE_RESET)
        answer->result = CHENGMEN_SCAN_RESET;
    return step == EXCHANGE_RESPONSE || step == EXCHANGE_RESET;
}

static void wait_until(int fd, uint64_t now_ns, uint64_t until_ns)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    uint64_t wait_ms = until_ns > now_ns ? (until_ns - now_ns + 999999) / 1000000 : 0;
    poll(&poll_fd, 1, wait_ms > INT32_MAX ? INT32_MAX : (int)wait_ms);
}

/* Carries one exchange to its end, which is in answer->result. */
static void exchange_run(struct chengmen_scan *scan, uint64_t give_up_ns, struct chengmen_scan_answer *answer,
                         struct echo *echo)
{
    struct exchange *e = &scan->exchange;
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = UINT32_MAX;
    exchange_start(e, random, clock_monotonic_ns());
    for (;;) {
        uint64_t now_ns = clock_monotonic_ns();
        enum exchange_step step = now_ns >= give_up_ns ? EXCHANGE_EXPIRED : exchange_tick(e, now_ns);
        if (step == EXCHANGE_EXPIRED) {
            answer->result = CHENGMEN_SCAN_TIMEOUT;
            return;
        }
        if (step == EXCHANGE_SEND) {
            answer->transmissions++;
            if (!datagram_send(scan, e->message, e->message_size)) {
                answer->result = CHENGMEN_SCAN_NETWORK;
                return;
            }
        }
        wait_until(scan->socket, now_ns, e->next_ns < give_up_ns ? e->next_ns : give_up_ns);
        if (datagram_take(scan, answer, echo))
            return;
    }
}

enum chengmen_scan_result chengmen_scan_ask(struct chengmen_scan *scan, const struct chengmen_scan_request *request,
                                            struct chengmen_scan_answer *answer)
{
    struct echo echo = {.size = 0};
    uint64_t begin_ns = clock_monotonic_ns();
    uint64_t give_up_ns = scan->deadline_ms ? begin_ns + (uint64_t)scan->deadline_ms * 1000000 : UINT64_MAX;
    *answer = (struct chengmen_scan_answer){.result = CHENGMEN_SCAN_REQUEST, .id = scan->next_id++};
    answer->verdict = CHENGMEN_SCAN_DENY;
    answer->colour = CHENGMEN_SCAN_UNKNOWN;
    size_t size = payload_write(request, answer->id, scan->payload, sizeof scan->payload);
    if (size == 0)
        return answer->result;
    for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        bool challenged = echo.size > 0;
        if (attempt > 0 && !challenged)
            break;
        answer->result = CHENGMEN_SCAN_REQUEST;
        answer->reason = answer->max_age_s = answer->coap_code = 0;
        if (!message_build(scan, (struct bytes){scan->payload, size}, &echo))
            break;
        echo.size = 0;
        exchange_run(scan, give_up_ns, answer, &echo);
    }
    answer->taken_ns = clock_monotonic_ns() - begin_ns;
    return answer->result;
}

bool chengmen_scan_opens(const struct chengmen_scan_answer *answer)
{
    return answer->result == CHENGMEN_SCAN_VERDICT && answer->verdict == CHENGMEN_SCAN_ALLOW &&
           answer->obligations == 0;
}

bool chengmen_scan_point(const struct chengmen_scan *scan, uint32_t *point)
{
    (void)scan;
    (void)point;
    return false;
}
