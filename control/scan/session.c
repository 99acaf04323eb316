#include "control/scan/chengmen_scan.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "control/scan/address.h"
#include "control/scan/context_file.h"
#include "control/scan/exchange.h"
#include "control/scan/payload.h"
#include "control/scan/protect.h"
#include "dataplane/clock.h"
#include "keys/secret_memory.h"

#define ECHO_SIZE_MAX 40 /* RFC 9175 section 2.2.1 */
#define ATTEMPTS_MAX 2   /* the request, and once more with the Echo that was asked for */

struct echo {
    uint8_t value[ECHO_SIZE_MAX];
    size_t size;
    bool is_protected; /* the challenge came under OSCORE, and so does its Echo go back */
};

struct chengmen_scan {
    int socket;
    uint32_t deadline_ms;
    uint32_t next_id;
    uint16_t next_message_id;
    struct exchange exchange;
    uint8_t datagram[EXCHANGE_MESSAGE_MAX + 1]; /* one more than we would send, so that a cut one shows */
    uint8_t payload[EXCHANGE_MESSAGE_MAX];
    bool is_protected; /* what follows is in use */
    struct context_file context;
    struct protection protection;
    uint8_t plain[EXCHANGE_MESSAGE_MAX];
    uint8_t sealed[EXCHANGE_MESSAGE_MAX + OSCORE_TAG_MAX];
};

/* -1 with errno: EINVAL where a text is no address, else what the kernel said. */
static int socket_open(const struct chengmen_scan_options *options, char *error, size_t error_size)
{
    struct sockaddr_storage to, from;
    socklen_t to_size, from_size;
    errno = EINVAL;
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
    int number = errno;
    if (fd >= 0)
        close(fd);
    errno = number;
    return -1;
}

static bool session_begin(struct chengmen_scan *scan, const struct chengmen_scan_options *options, char *error,
                          size_t error_size)
{
    scan->deadline_ms = options->deadline_ms;
    scan->context.lock = -1;
    scan->socket = socket_open(options, error, error_size);
    if (scan->socket < 0)
        return false;
    if (getrandom(&scan->next_id, sizeof scan->next_id, 0) < 0 ||
        getrandom(&scan->next_message_id, sizeof scan->next_message_id, 0) < 0) {
        snprintf(error, error_size, "no randomness: %s", strerror(errno));
        errno = EIO;
        return false;
    }
    if (!options->context_file)
        return true;
    scan->is_protected = context_file_open(options->context_file, &scan->context, error, error_size);
    if (scan->is_protected) {
        protection_begin(&scan->protection, &scan->context.oscore);
        oscore_wipe(&scan->context.oscore, sizeof scan->context.oscore);
    }
    errno = EINVAL;
    return scan->is_protected;
}

struct chengmen_scan *chengmen_scan_open(const struct chengmen_scan_options *options, char *error, size_t error_size)
{
    struct chengmen_scan *scan = secret_memory_take(sizeof *scan, NULL);
    if (!scan)
        snprintf(error, error_size, "out of memory");
    else if (!session_begin(scan, options, error, error_size)) {
        int number = errno;
        chengmen_scan_close(scan);
        scan = NULL;
        errno = number;
    }
    return scan;
}

void chengmen_scan_close(struct chengmen_scan *scan)
{
    if (!scan)
        return;
    if (scan->socket >= 0)
        close(scan->socket);
    context_file_close(&scan->context);
    secret_memory_give(scan, sizeof *scan);
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

static void put_request(struct coap_writer *out, struct bytes payload, struct bytes echo)
{
    coap_put_option(out, COAP_OPTION_URI_PATH, bytes_of_text("v"));
    coap_put_option_uint(out, COAP_OPTION_CONTENT_FORMAT, COAP_FORMAT_CBOR);
    if (echo.length)
        coap_put_option(out, COAP_OPTION_ECHO, echo);
    coap_put_payload(out, payload);
}

/* The request under OSCORE: POST /v inside, OSCORE and an Echo that was asked for in the open outside. */
static enum chengmen_scan_result put_protected(struct chengmen_scan *scan, struct coap_writer *out,
                                               struct bytes payload, struct bytes inner_echo, struct bytes outer_echo)
{
    uint8_t option[OSCORE_OPTION_MAX];
    size_t option_size, size;
    uint64_t sequence;
    struct coap_writer inner = coap_write_options(scan->plain + 1, sizeof scan->plain - 1);
    scan->plain[0] = COAP_POST;
    put_request(&inner, payload, inner_echo);
    if (coap_written(&inner) == 0)
        return CHENGMEN_SCAN_REQUEST;
    if (!context_file_take(&scan->context, &sequence))
        return CHENGMEN_SCAN_SEQUENCE;
    size = protect_request(&scan->protection, sequence, (struct bytes){scan->plain, 1 + coap_written(&inner)},
                           scan->sealed, option, &option_size);
    if (size == 0)
        return CHENGMEN_SCAN_SEQUENCE;
    coap_put_option(out, COAP_OPTION_OSCORE, (struct bytes){option, option_size});
    if (outer_echo.length)
        coap_put_option(out, COAP_OPTION_ECHO, outer_echo);
    coap_put_payload(out, (struct bytes){scan->sealed, size});
    return CHENGMEN_SCAN_VERDICT;
}

/* Builds POST /v into the exchange. CHENGMEN_SCAN_VERDICT where that was done. */
static enum chengmen_scan_result message_build(struct chengmen_scan *scan, struct bytes payload,
                                               const struct echo *echo)
{
    struct exchange *e = &scan->exchange;
    struct bytes given = {echo->value, echo->size}, none = {NULL, 0};
    enum chengmen_scan_result result = CHENGMEN_SCAN_VERDICT;
    if (getrandom(e->token, sizeof e->token, 0) != sizeof e->token)
        return CHENGMEN_SCAN_NETWORK;
    e->message_id = scan->next_message_id++;
    struct coap_writer out = coap_write(e->message, sizeof e->message, COAP_CON, COAP_POST, e->message_id,
                                        (struct bytes){e->token, sizeof e->token});
    if (scan->is_protected)
        result =
            put_protected(scan, &out, payload, echo->is_protected ? given : none, echo->is_protected ? none : given);
    else
        put_request(&out, payload, given);
    e->message_size = coap_written(&out);
    if (result == CHENGMEN_SCAN_VERDICT && e->message_size == 0)
        return CHENGMEN_SCAN_REQUEST;
    return result;
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

static void echo_read(const struct coap_message *response, bool is_protected, struct echo *echo)
{
    const struct coap_option *option = coap_find(response, COAP_OPTION_ECHO);
    if (response->code != COAP_UNAUTHORIZED || !option || option->value.length > ECHO_SIZE_MAX)
        return;
    memcpy(echo->value, option->value.data, option->value.length);
    echo->size = option->value.length;
    echo->is_protected = is_protected;
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
    echo_read(response, answer->is_protected, echo);
}

/* A response with our token, as the session accepts it. Under OSCORE a verdict comes protected or not at all; an error
 * may come in the open, where the appliance has no context for us, and can only keep a gate closed. False where it is
 * not an answer to our request: somebody else made it. */
static bool response_take(struct chengmen_scan *scan, const struct coap_message *response,
                          struct chengmen_scan_answer *answer, struct echo *echo)
{
    struct coap_message inner;
    answer->is_protected = false;
    if (!scan->is_protected) {
        answer_read(response, answer->id, answer, echo);
        return true;
    }
    if (!coap_find(response, COAP_OPTION_OSCORE)) {
        bool error = response->code >> 5 != 2;
        if (error)
            answer_read(response, answer->id, answer, echo);
        return error;
    }
    if (!unprotect_response(&scan->protection, response, scan->plain, sizeof scan->plain, &inner))
        return false;
    answer->is_protected = true;
    answer_read(&inner, answer->id, answer, echo);
    return true;
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
    if (step == EXCHANGE_RESET)
        answer->result = CHENGMEN_SCAN_RESET;
    return step == EXCHANGE_RESET || (step == EXCHANGE_RESPONSE && response_take(scan, &response, answer, echo));
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
        answer->reason = answer->max_age_s = answer->coap_code = 0;
        answer->result = message_build(scan, (struct bytes){scan->payload, size}, &echo);
        if (answer->result != CHENGMEN_SCAN_VERDICT)
            break;
        answer->result = CHENGMEN_SCAN_TIMEOUT;
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
    *point = scan->context.point;
    return scan->is_protected;
}
