#include "tests/load/generator.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/coap.h"
#include "tests/load/flight.h"
#include "tests/load/later.h"
#include "tests/load/protect.h"
#include "tests/load/ticks.h"

#define BURST 32
#define STEPS_BETWEEN_EXPIRY 64
#define LINGER_NS_MAX 200000000u
#define REPEATS_MAX (1u << 20)
static_assert(BURST <= LOAD_BURST_MAX, "a burst fits the port's");
static_assert(sizeof(struct load_counts) % sizeof(uint64_t) == 0, "copied as words");

/* A request that was written and is not yet sealed: it stands at `held`[slot]. */
struct unsealed {
    struct protect_job job;
    uint32_t point;
    uint16_t port, length;
    unsigned slot;
};

/* A frame of the burst that was received. */
struct arrival {
    struct link_answer from;
    struct answer answer;
    struct flight *flight; /* NULL: nothing that is remembered */
    uint32_t digest;
    bool prepared; /* `job` is to be opened, or was */
    struct protect_job job;
};

struct generator {
    struct generator_config config;
    struct schedule schedule;
    struct random random;
    uint64_t start;
    double per_s, ns_per_tick;
    uint64_t timeout_ticks;
    uint64_t next_due; /* ticks since the start; SCHEDULE_NEVER at the end */
    uint64_t cursor;   /* next entry of the pool */
    uint64_t finish_at;
    uint32_t salt;
    uint32_t steps;
    bool stopping;
    struct flights flights;
    struct laters laters;
    uint32_t *point_counts; /* requests of each point: its message ids and ports */
    unsigned spare_count, held_count, unsealed_count;
    struct unsealed unsealed[BURST];
    struct arrival arrivals[BURST];
    struct load_frame spare[BURST]; /* buffers to be filled */
    struct load_frame held[BURST];  /* frames that the port has still to take */
    uint64_t held_due[BURST];
    struct load_counts counts;
    struct histogram latency, lag, served;
    unsigned sample_count;
    struct wrong_sample samples[GENERATOR_SAMPLES_MAX];
};

/* The pool may be renewed at any time; each request reads it once. */
static const struct pool *pool_of(const struct generator *g)
{
    return __atomic_load_n(&g->config.pool, __ATOMIC_ACQUIRE);
}

static uint64_t due_of_schedule(struct generator *g)
{
    const struct pool *pool = pool_of(g);
    if (!pool->due_ns)
        return schedule_next(&g->schedule);
    return g->cursor < pool->count ? ticks_of_ns(pool->due_ns[g->cursor], g->per_s) : SCHEDULE_NEVER;
}

struct generator *generator_open(const struct generator_config *config, char *error, size_t error_size)
{
    struct generator *g = aligned_alloc(64, (sizeof *g + 63) & ~(size_t)63);
    if (!g) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    memset(g, 0, sizeof *g);
    g->config = *config;
    g->per_s = ticks_per_s();
    g->ns_per_tick = 1e9 / g->per_s;
    g->timeout_ticks = ticks_of_ns(config->timeout_ns, g->per_s);
    g->random = random_of(config->seed, 'G', config->share);
    g->cursor = config->first_entry;
    double peak = config->pool->due_ns ? 1e6 : rate_peak_per_s(&config->rate) / config->shares;
    double under_way = peak * (1.0 + config->retry_times) * ((double)config->timeout_ns * 1e-9 + 0.1) * 1.25 + 4096;
    uint32_t laters = config->retry_times ? (uint32_t)fmin(under_way * 4, 1 << 26) : 0;
    laters += config->repeat_share > 0 ? REPEATS_MAX : 0;
    laters += config->contexts ? REPEATS_MAX : 0;
    g->point_counts = calloc(config->pool->points, sizeof *g->point_counts);
    if (!g->point_counts || under_way > 1e9 || !flights_open(&g->flights, (uint64_t)under_way) ||
        !laters_open(&g->laters, laters)) {
        snprintf(error, error_size, "no memory for %.0f requests under way: lower the rate or the timeout", under_way);
        generator_close(g);
        return NULL;
    }
    return g;
}

void generator_start(struct generator *g, uint64_t ticks)
{
    g->start = ticks;
    g->salt = (uint32_t)random_mix(ticks ^ g->config.share);
    schedule_start(&g->schedule, &g->config.rate, g->config.arrivals, g->per_s, g->config.seed, g->config.share,
                   g->config.shares);
    g->next_due = due_of_schedule(g);
}

void generator_close(struct generator *g)
{
    if (!g)
        return;
    if (g->spare_count)
        load_port_free(g->config.port, g->spare, g->spare_count);
    if (g->held_count)
        load_port_free(g->config.port, g->held, g->held_count);
    flights_close(&g->flights);
    laters_close(&g->laters);
    free(g->point_counts);
    free(g);
}

void generator_stop(struct generator *g)
{
    __atomic_store_n(&g->stopping, true, __ATOMIC_RELAXED);
}

void generator_set_pool(struct generator *g, const struct pool *pool)
{
    __atomic_store_n(&g->config.pool, pool, __ATOMIC_RELEASE);
}

/* As write_request, with the context's protection still to come: seal. */
static void write_protected(struct generator *g, const struct flight *flight, const struct link_message *message,
                            struct load_frame *frame)
{
    uint32_t point = pool_of(g)->entries[flight->entry].point;
    struct unsealed *unsealed = &g->unsealed[g->unsealed_count++];
    unsealed->point = point;
    unsealed->port = flight_port(flight);
    unsealed->slot = g->held_count;
    unsealed->length =
        protect_request(&g->config.contexts->list[point], point, g->config.first_sequence + flight->number,
                        flight->challenges > 0, message, frame->data + LINK_HEADERS_SIZE, &unsealed->job);
    assert(unsealed->length > 0); /* pools are made of CoAP requests with room for our token */
}

/* Writes the flight's request to a spare buffer and puts it in line for the port. The caller saw that there is one. */
static void write_request(struct generator *g, const struct flight *flight, uint64_t due)
{
    const struct pool *pool = pool_of(g);
    const struct pool_entry *entry = &pool->entries[flight->entry];
    struct link_message message = {
        .data = pool->messages + entry->offset,
        .length = entry->length,
        .sum = entry->sum,
        .id_at = entry->id_at,
        .token_free = entry->token_free,
        .message_id = flight_message_id(flight),
        .token = {g->salt, flight->sequence},
        .id = message_request_id(flight->sequence),
    };
    struct load_frame *frame = &g->held[g->held_count];
    *frame = g->spare[--g->spare_count];
    if (g->config.contexts)
        write_protected(g, flight, &message, frame);
    else
        frame->length = link_write(g->config.link, entry->point, flight_port(flight), &message, frame->data);
    g->counts.bytes_sent += frame->length;
    g->held_due[g->held_count++] = due;
}

/* Protects what was written since the last time. */
static void seal(struct generator *g)
{
    struct protect_job *jobs[BURST];
    for (unsigned i = 0; i < g->unsealed_count; i++)
        jobs[i] = &g->unsealed[i].job;
    protect_run(g->config.aead, jobs, g->unsealed_count);
    for (unsigned i = 0; i < g->unsealed_count; i++) {
        struct unsealed *unsealed = &g->unsealed[i];
        struct load_frame *frame = &g->held[unsealed->slot];
        assert(unsealed->job.aead.ok);
        frame->length = link_wrap(g->config.link, unsealed->point, unsealed->port, unsealed->length, frame->data);
        g->counts.bytes_sent += frame->length;
    }
    g->unsealed_count = 0;
}

static void expire(struct generator *g, uint64_t now);

static void send_later(struct generator *g, struct later item)
{
    if (laters_push(&g->laters, item))
        return;
    g->counts.due++;
    g->counts.unsent++;
}

static void send_new(struct generator *g, uint64_t due, uint32_t index, uint8_t attempts, uint64_t now)
{
    g->counts.due++;
    if (flights_full(&g->flights))
        expire(g, now);
    if (now - due > g->timeout_ticks || flights_full(&g->flights)) {
        g->counts.unsent++;
        return;
    }
    const struct pool_entry *entry = &pool_of(g)->entries[index];
    uint32_t number = g->point_counts[entry->point]++;
    struct flight *flight = flights_add(&g->flights);
    flight->due = due;
    flight->entry = index;
    flight->attempts = attempts;
    flight->number = number;
    flight->challenges = 0;
    write_request(g, flight, due);
    g->counts.sent++;
    g->counts.kinds[entry->kind]++;
    if (g->config.repeat_share > 0 && attempts == 0 && g->laters.count < g->laters.room &&
        random_unit(&g->random) < g->config.repeat_share)
        send_later(g, (struct later){.due = due + ticks_of_ns(g->config.repeat_after_ns, g->per_s),
                                     .number = flight->sequence,
                                     .kind = LATER_REPEAT});
}

static void send_again(struct generator *g, struct later item, uint64_t now)
{
    if (item.kind == LATER_RETRY) {
        g->counts.retried++;
        send_new(g, item.due, item.number, item.attempts, now);
        return;
    }
    struct flight *flight = flights_find(&g->flights, item.number);
    if (!flight)
        return;
    if (item.kind == LATER_ECHO) {
        if (flight->state != FLIGHT_WAITING)
            return;
        flight->challenges++;
        flight->number = g->point_counts[pool_of(g)->entries[flight->entry].point]++;
    } else if (flight->challenges > 0) {
        return; /* other bytes than those that were sent first must not go out under their number */
    }
    write_request(g, flight, item.due);
    g->counts.repeated += item.kind == LATER_REPEAT;
}

/* Fills the line to the port with what is due by now. */
static void fill_line(struct generator *g, uint64_t now)
{
    if (__atomic_load_n(&g->stopping, __ATOMIC_RELAXED)) {
        g->next_due = SCHEDULE_NEVER;
        g->laters.count = 0;
    }
    while (g->held_count < BURST) {
        uint64_t due = g->next_due == SCHEDULE_NEVER ? SCHEDULE_NEVER : g->start + g->next_due;
        bool later = g->laters.count > 0 && g->laters.heap[0].due < due;
        if (later)
            due = g->laters.heap[0].due;
        if (due > now)
            return;
        if (g->spare_count == 0) {
            if (!load_port_take(g->config.port, g->spare, BURST)) {
                g->counts.starved++;
                return;
            }
            g->spare_count = BURST;
        }
        if (later) {
            send_again(g, laters_pop(&g->laters), now);
            continue;
        }
        uint32_t index = (uint32_t)g->cursor;
        if (++g->cursor == pool_of(g)->count && !pool_of(g)->due_ns)
            g->cursor = 0;
        g->next_due = due_of_schedule(g);
        send_new(g, due, index, 0, now);
    }
}

/* Hands the line to the port. What the port has not taken when its time is over leaves the line and is lost. */
static void send_held(struct generator *g)
{
    unsigned taken = load_port_send(g->config.port, g->config.queue, g->held, g->held_count);
    uint64_t now = ticks_now();
    if (taken == 0 && now - g->held_due[0] > g->timeout_ticks) {
        load_port_free(g->config.port, g->held, 1);
        taken = 1;
    }
    for (unsigned i = 0; i < taken; i++)
        histogram_record(&g->lag, (uint64_t)((double)(now - g->held_due[i]) * g->ns_per_tick));
    g->held_count -= taken;
    memmove(g->held, g->held + taken, g->held_count * sizeof g->held[0]);
    memmove(g->held_due, g->held_due + taken, g->held_count * sizeof g->held_due[0]);
}

/* The client of a request that was lost or shed may come back. */
static void retry(struct generator *g, const struct flight *flight, uint64_t now)
{
    if (flight->attempts >= g->config.retry_times || g->stopping)
        return;
    double jitter = random_unit(&g->random) * (double)g->config.retry_jitter_ns;
    uint64_t after = ticks_of_ns(g->config.retry_after_ns + (uint64_t)jitter, g->per_s);
    struct later item = {
        .due = now + after, .number = flight->entry, .kind = LATER_RETRY, .attempts = (uint8_t)(flight->attempts + 1)};
    send_later(g, item);
}

static void expire(struct generator *g, uint64_t now)
{
    if (now < g->timeout_ticks)
        return;
    struct flight *flight;
    while ((flight = flights_expire(&g->flights, now - g->timeout_ticks)) != NULL) {
        g->counts.lost++;
        retry(g, flight, now);
    }
}

static void record_wrong(struct generator *g, const struct flight *flight, const struct answer *answer,
                         enum wrong wrong)
{
    const struct pool_entry *entry = &pool_of(g)->entries[flight->entry];
    g->counts.wrong[wrong]++;
    if (g->sample_count < GENERATOR_SAMPLES_MAX)
        g->samples[g->sample_count++] = (struct wrong_sample){
            .wrong = wrong,
            .kind = entry->kind,
            .point = entry->point,
            .entry = flight->entry,
            .expected = entry->expected,
            .code = answer->code,
            .verdict = answer->verdict,
            .colour = answer->colour,
            .reason = answer->code == COAP_CONTENT ? answer->reason : answer_refusal_reason(answer),
            .obligations = answer->obligations};
}

static void judge(struct generator *g, const struct flight *flight, struct answer *answer, uint64_t now)
{
    const struct pool_entry *entry = &pool_of(g)->entries[flight->entry];
    enum wrong wrong = WRONG_NOTHING;
    g->counts.codes[answer->code]++;
    if (answer->code == COAP_CONTENT) {
        if (!answer_read_verdict(answer)) {
            wrong = WRONG_FORM;
        } else {
            g->counts.verdicts[answer->verdict]++;
            g->counts.reasons[answer->reason]++;
            if (entry->id_at && answer->id != message_request_id(flight->sequence))
                wrong = WRONG_MATCH;
        }
    }
    if (wrong == WRONG_NOTHING && answer_sheds(answer)) {
        g->counts.shed++;
        retry(g, flight, now);
        return;
    }
    if (wrong == WRONG_NOTHING)
        wrong = answer_check(answer, &entry->expected);
    if (wrong == WRONG_NOTHING)
        g->counts.right++;
    else
        record_wrong(g, flight, answer, wrong);
}

static void take_repeat(struct generator *g, struct flight *flight, const struct arrival *arrival)
{
    if (g->config.repeat_share > 0 && arrival->digest == flight->digest)
        g->counts.repeat_answered++;
    else
        record_wrong(g, flight, &arrival->answer, WRONG_REPEAT);
}

/* The target has lost the context's window and wants to see that we are here now (RFC 8613 appendix B.1.2). */
static bool meet_challenge(struct generator *g, struct flight *flight, const struct answer *answer, uint64_t now)
{
    struct context *context = &g->config.contexts->list[pool_of(g)->entries[flight->entry].point];
    if (answer->code != COAP_UNAUTHORIZED || answer->echo.length == 0 || answer->echo.length > CONTEXT_ECHO_MAX ||
        flight->challenges == GENERATOR_CHALLENGES_MAX)
        return false;
    context->echo_size = (uint8_t)answer->echo.length;
    memcpy(context->echo, answer->echo.data, answer->echo.length);
    g->counts.challenged++;
    send_later(g, (struct later){.due = now, .number = flight->sequence, .kind = LATER_ECHO});
    return true;
}

/* Finds the request that an answer belongs to, and prepares what is to be opened. */
static void match(struct generator *g, struct arrival *arrival)
{
    const struct link_answer *from = &arrival->from;
    struct answer *answer = &arrival->answer;
    struct flight *flight = NULL;
    if (answer_read(from->message, answer) && answer->has_token && answer->token.salt == g->salt)
        flight = flights_find(&g->flights, answer->token.sequence);
    if (flight && (pool_of(g)->entries[flight->entry].point != from->point || flight_port(flight) != from->port ||
                   (answer->type == COAP_ACK && answer->message_id != flight_message_id(flight))))
        flight = NULL;
    arrival->flight = flight;
    arrival->prepared = false;
    if (!flight)
        return;
    if (g->config.repeat_share > 0)
        arrival->digest = answer_digest(from->message);
    if (g->config.contexts && answer->has_oscore)
        arrival->prepared = protect_prepare_answer(&g->config.contexts->list[from->point], from->point,
                                                   g->config.first_sequence + flight->number, answer, &arrival->job);
}

/* Opens the answers of a burst. */
static void open_answers(struct generator *g, unsigned count)
{
    struct protect_job *jobs[BURST];
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        if (g->arrivals[i].prepared)
            jobs[n++] = &g->arrivals[i].job;
    protect_run(g->config.aead, jobs, n);
}

/* Whether the answer may be believed; it is the inner one then. */
static bool is_protected(const struct generator *g, struct arrival *arrival)
{
    if (!g->config.contexts)
        return true;
    if (arrival->prepared)
        return arrival->job.aead.ok && protect_read_answer(&arrival->job, &arrival->answer);
    return !arrival->answer.has_oscore && answer_sheds(&arrival->answer); /* too busy to unprotect */
}

static void take_answer(struct generator *g, struct arrival *arrival, uint64_t now)
{
    struct flight *flight = arrival->flight;
    if (!flight) {
        g->counts.unmatched++;
        return;
    }
    if (flight->state == FLIGHT_ANSWERED || flight->state == FLIGHT_LATE) {
        take_repeat(g, flight, arrival);
        return;
    }
    bool believed = is_protected(g, arrival);
    if (g->config.contexts && believed && flight->state == FLIGHT_WAITING &&
        meet_challenge(g, flight, &arrival->answer, now))
        return;
    uint64_t latency_ns = now > flight->due ? (uint64_t)((double)(now - flight->due) * g->ns_per_tick) : 0;
    histogram_record(&g->latency, latency_ns);
    flight->digest = arrival->digest;
    if (latency_ns > g->config.timeout_ns) {
        g->counts.lost -= flight->state == FLIGHT_LOST;
        g->counts.late++;
        flight->state = FLIGHT_LATE;
        return;
    }
    flight->state = FLIGHT_ANSWERED;
    g->counts.answered++;
    if (g->config.observer)
        g->config.observer(g->config.observer_context, flight->sequence, latency_ns);
    if (believed) {
        uint64_t right = g->counts.right;
        judge(g, flight, &arrival->answer, now);
        if (g->counts.right != right)
            histogram_record(&g->served, latency_ns);
        return;
    }
    g->counts.codes[arrival->answer.code]++;
    record_wrong(g, flight, &arrival->answer, WRONG_PROTECTION);
}

/* What is no answer. False where the frame went back to the port. */
static bool take_other(struct generator *g, struct load_frame *frame, enum link_kind kind)
{
    switch (kind) {
    case LINK_ARP_REQUEST:
        link_arp_answer(g->config.link, frame->data);
        return load_port_send(g->config.port, g->config.queue, frame, 1) != 1;
    case LINK_CHECKSUM_BAD:
        g->counts.checksum_bad++;
        break;
    case LINK_UNREACHABLE:
        g->counts.unreachable++;
        break;
    case LINK_OTHER:
        g->counts.strange++;
        break;
    default:
        break;
    }
    return true;
}

static void receive(struct generator *g)
{
    struct load_frame frames[BURST];
    unsigned count = load_port_receive(g->config.port, g->config.queue, frames, BURST), kept = 0, answers = 0;
    if (count == 0)
        return;
    uint64_t now = ticks_now();
    for (unsigned i = 0; i < count; i++) {
        struct arrival *arrival = &g->arrivals[answers];
        enum link_kind kind = frames[i].segmented
                                  ? LINK_OTHER
                                  : link_read(g->config.link, frames[i].data, frames[i].length, &arrival->from);
        g->counts.bytes_received += frames[i].length;
        if (kind == LINK_ANSWER) {
            match(g, arrival);
            answers++;
        } else if (!take_other(g, &frames[i], kind)) {
            continue;
        }
        frames[kept++] = frames[i];
    }
    if (g->config.contexts)
        open_answers(g, answers);
    for (unsigned i = 0; i < answers; i++)
        take_answer(g, &g->arrivals[i], now);
    if (kept)
        load_port_free(g->config.port, frames, kept);
}

bool generator_step(struct generator *g)
{
    uint64_t now = ticks_now();
    fill_line(g, now);
    if (g->unsealed_count)
        seal(g);
    if (g->held_count)
        send_held(g);
    receive(g);
    bool over = g->next_due == SCHEDULE_NEVER && g->laters.count == 0 && g->held_count == 0;
    if (++g->steps % STEPS_BETWEEN_EXPIRY == 0 || over)
        expire(g, now);
    if (!over || flights_under_way(&g->flights) > 0) {
        g->finish_at = 0;
        return true;
    }
    bool awaits = g->counts.lost > 0 || g->counts.repeat_answered < g->counts.repeated;
    if (awaits && g->finish_at == 0) { /* a late answer may still come, or one to a retransmission */
        uint64_t linger_ns = g->config.timeout_ns < LINGER_NS_MAX ? g->config.timeout_ns : LINGER_NS_MAX;
        g->finish_at = now + ticks_of_ns(linger_ns, g->per_s);
    }
    return awaits && g->finish_at > now;
}

void generator_counts(const struct generator *g, struct load_counts *out)
{
    const uint64_t *from = (const uint64_t *)&g->counts;
    uint64_t *to = (uint64_t *)out;
    for (size_t i = 0; i < sizeof *out / sizeof *to; i++)
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

void generator_latency(const struct generator *g, struct histogram *out)
{
    histogram_copy(&g->latency, out);
}

const struct histogram *generator_served(const struct generator *g)
{
    return &g->served;
}

const struct histogram *generator_lag(const struct generator *g)
{
    return &g->lag;
}

unsigned generator_samples(const struct generator *g, const struct wrong_sample **out)
{
    *out = g->samples;
    return g->sample_count;
}
