#include "tests/load/echo.h"

#include <math.h>
#include <stdlib.h>

#include "dataplane/coap.h"
#include "dataplane/reasons.h"
#include "tests/load/later.h"
#include "tests/load/link.h"
#include "tests/load/random.h"
#include "tests/load/ticks.h"

#define BURST 32
enum { MESSAGE = LINK_HEADERS_SIZE, TOKEN = MESSAGE + 4, OPTIONS = TOKEN + TOKEN_SIZE };

struct echo {
    struct echo_config config;
    double per_s;
    uint64_t stall_from, stall_until; /* ticks; 0 before the first request */
    struct laters due;                /* `number` is a slot of `held` */
    struct load_frame *held;
    uint32_t *free_slots;
    uint32_t free_count;
    unsigned ready_count;
    struct load_frame ready[2 * BURST];
};

struct echo *echo_open(const struct echo_config *config)
{
    struct echo *echo = calloc(1, sizeof *echo);
    if (!echo)
        return NULL;
    echo->config = *config;
    echo->per_s = ticks_per_s();
    echo->held = calloc(config->held_max + 1, sizeof *echo->held);
    echo->free_slots = calloc(config->held_max + 1, sizeof *echo->free_slots);
    if (!echo->held || !echo->free_slots || !laters_open(&echo->due, config->held_max)) {
        echo_close(echo);
        return NULL;
    }
    for (uint32_t i = 0; i < config->held_max; i++)
        echo->free_slots[echo->free_count++] = i;
    return echo;
}

void echo_close(struct echo *echo)
{
    if (!echo)
        return;
    while (echo->due.count > 0) {
        struct later item = laters_pop(&echo->due);
        load_port_free(echo->config.port, &echo->held[item.number], 1);
    }
    if (echo->ready_count)
        load_port_free(echo->config.port, echo->ready, echo->ready_count);
    laters_close(&echo->due);
    free(echo->held);
    free(echo->free_slots);
    free(echo);
}

static double chance(const struct echo_config *config, uint64_t purpose, uint32_t sequence)
{
    struct random random = random_of(config->seed, purpose, sequence);
    return random_unit(&random);
}

uint64_t echo_delay_ns(const struct echo_config *config, uint32_t sequence)
{
    switch (config->delay) {
    case ECHO_FIXED:
        return config->delay_ns;
    case ECHO_UNIFORM:
        return (uint64_t)(chance(config, 'D', sequence) * (double)config->delay_ns);
    case ECHO_EXPONENTIAL:
        return (uint64_t)(-log1p(-chance(config, 'D', sequence)) * (double)config->delay_ns);
    case ECHO_AT_ONCE:
        break;
    }
    return 0;
}

bool echo_drops(const struct echo_config *config, uint32_t sequence)
{
    return config->drop_share > 0 && chance(config, 'L', sequence) < config->drop_share;
}

bool echo_lies(const struct echo_config *config, uint32_t sequence)
{
    return config->wrong_share > 0 && chance(config, 'W', sequence) < config->wrong_share;
}

bool echo_breaks(const struct echo_config *config, uint32_t sequence)
{
    return config->broken_share > 0 && chance(config, 'B', sequence) < config->broken_share;
}

static void swap(uint8_t *a, uint8_t *b, size_t size)
{
    uint8_t keep[6];
    memcpy(keep, a, size);
    memcpy(a, b, size);
    memcpy(b, keep, size);
}

static uint16_t checksum_of(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* Turns the request in the buffer into its answer. Self-test requests have their id at one place. */
static void answer(const struct echo_config *config, struct load_frame *frame, uint32_t sequence)
{
    uint8_t *data = frame->data, *out = data + OPTIONS;
    uint32_t id = message_request_id(sequence);
    swap(data, data + 6, 6);
    swap(data + 26, data + 30, 4);
    swap(data + 34, data + 36, 2);
    data[MESSAGE] = (uint8_t)(1 << 6 | COAP_ACK << 4 | TOKEN_SIZE);
    data[MESSAGE + 1] = COAP_CONTENT;
    const uint8_t head[] = {0xc1, COAP_FORMAT_CBOR, 0xff, 0xa4, 1, 0x1a};
    memcpy(out, head, sizeof head);
    out += sizeof head;
    for (int shift = 24; shift >= 0; shift -= 8)
        *out++ = (uint8_t)(id >> shift);
    const uint8_t tail[] = {2, echo_lies(config, sequence) ? VERDICT_DENY : VERDICT_ALLOW, 3, 0, 4, 0x18, REASON_GREEN};
    memcpy(out, tail, sizeof tail);
    out += sizeof tail;
    size_t udp_length = (size_t)(out - data) - 34, ip_length = udp_length + 20;
    uint8_t pseudo[4] = {0, 17, (uint8_t)(udp_length >> 8), (uint8_t)udp_length};
    data[16] = (uint8_t)(ip_length >> 8);
    data[17] = (uint8_t)ip_length;
    data[38] = pseudo[2];
    data[39] = pseudo[3];
    memset(data + 24, 0, 2);
    memset(data + 40, 0, 2);
    uint16_t sum = checksum_of(link_sum(data + 14, 20));
    memcpy(data + 24, &sum, 2);
    sum = checksum_of(link_sum(pseudo, 4) + link_sum(data + 26, 8) + link_sum(data + 34, udp_length));
    sum = echo_breaks(config, sequence) ? (uint16_t)(sum ^ 0x0100) : sum;
    memcpy(data + 40, &sum, 2);
    frame->length = (uint16_t)(14 + ip_length);
}

static void receive(struct echo *echo, uint64_t now)
{
    struct load_frame frames[BURST];
    unsigned count = load_port_receive(echo->config.port, 0, frames, BURST);
    if (count && echo->stall_from == 0 && echo->config.stall_for_ns) {
        echo->stall_from = now + ticks_of_ns(echo->config.stall_at_ns, echo->per_s);
        echo->stall_until = echo->stall_from + ticks_of_ns(echo->config.stall_for_ns, echo->per_s);
    }
    for (unsigned i = 0; i < count; i++) {
        struct token token;
        memcpy(&token, frames[i].data + TOKEN, sizeof token);
        if (echo_drops(&echo->config, token.sequence)) {
            load_port_free(echo->config.port, &frames[i], 1);
            continue;
        }
        answer(&echo->config, &frames[i], token.sequence);
        if (echo->config.delay == ECHO_AT_ONCE || echo->free_count == 0) {
            echo->ready[echo->ready_count++] = frames[i];
            continue;
        }
        uint32_t slot = echo->free_slots[--echo->free_count];
        uint64_t delay = ticks_of_ns(echo_delay_ns(&echo->config, token.sequence), echo->per_s);
        echo->held[slot] = frames[i];
        laters_push(&echo->due, (struct later){.due = now + delay, .number = slot});
    }
}

void echo_step(struct echo *echo)
{
    uint64_t now = ticks_now();
    if (echo->stall_from && now >= echo->stall_from && now < echo->stall_until)
        return;
    if (echo->ready_count <= BURST)
        receive(echo, now);
    while (echo->ready_count < 2 * BURST && echo->due.count > 0 && echo->due.heap[0].due <= now) {
        uint32_t slot = laters_pop(&echo->due).number;
        echo->ready[echo->ready_count++] = echo->held[slot];
        echo->free_slots[echo->free_count++] = slot;
    }
    if (echo->ready_count == 0)
        return;
    unsigned sent = load_port_send(echo->config.port, 0, echo->ready, echo->ready_count);
    echo->ready_count -= sent;
    memmove(echo->ready, echo->ready + sent, echo->ready_count * sizeof echo->ready[0]);
}
