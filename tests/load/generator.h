/* The load itself: sends a pool's requests when they are due, matches answers, checks every one, measures.
 *
 * Open loop: every request has the time at which it is due, from the schedule alone. Latency is arrival minus that
 * time, however late the request really left; a request that the port does not take waits in the generator and its time
 * runs. One whose time has run out before it could leave is counted as unsent. Nothing that the other side does or
 * fails to do moves a due time.
 *
 * A generator belongs to one thread, which calls generator_step in a loop; other threads may call generator_counts,
 * generator_latency and generator_stop. */
#pragma once

#include "tests/load/context.h"
#include "tests/load/histogram.h"
#include "tests/load/link.h"
#include "tests/load/pool.h"
#include "tests/load/port.h"
#include "tests/load/schedule.h"

#define GENERATOR_SAMPLES_MAX 16
#define GENERATOR_CHALLENGES_MAX 3 /* times that a request is sent anew with an Echo */

struct aead;

/* Sees each answer in time of a self test: its request's sequence number and its latency. */
typedef void generator_observer(void *context, uint32_t sequence, uint64_t latency_ns);

struct generator_config {
    struct load_port *port;
    unsigned queue;
    const struct link *link; /* outlives the generator, as do port and pool */
    const struct pool *pool;
    struct rate rate; /* not read where the pool has its own times */
    enum arrivals arrivals;
    uint64_t seed;
    uint32_t share, shares; /* which part of the load is this generator's; 0 of 1 for all of it */
    uint64_t first_entry;   /* where in the pool to begin */
    uint64_t timeout_ns;    /* an answer after that is late, none by then is lost */
    uint32_t retry_times;   /* how often a client asks again that got no answer or was shed */
    uint64_t retry_after_ns;
    uint64_t retry_jitter_ns;
    double repeat_share; /* of requests that are sent twice, the same bytes, as CoAP retransmits */
    uint64_t repeat_after_ns;
    /* NULL: plain CoAP. Else every request is protected, every answer opened, and an Echo challenge is met. The
     * generator uses each context's sequence numbers from `first_sequence` on, at most generator_sequences of them. */
    struct contexts *contexts;
    struct aead *aead;
    uint64_t first_sequence;
    generator_observer *observer; /* may be NULL */
    void *observer_context;
};

/* Counters; each request due ends as one of unsent, answered, late, lost, and each answered one as one of right, shed,
 * wrong. All uint64_t: they are copied as words. */
struct load_counts {
    uint64_t due;      /* by the schedule, and retries */
    uint64_t sent;     /* distinct requests put in line for the port */
    uint64_t unsent;   /* out of time before there was room in that line */
    uint64_t answered; /* in time */
    uint64_t late;     /* answered after the timeout */
    uint64_t lost;     /* never answered */
    uint64_t right;
    uint64_t shed; /* 4.29, 5.03, RETRY */
    uint64_t retried;
    uint64_t repeated;        /* datagrams sent again */
    uint64_t repeat_answered; /* answers to those, the same bytes */
    uint64_t challenged;      /* answers that asked for an Echo: the request was sent anew with it at once */
    uint64_t unmatched;       /* answers to nothing that is remembered */
    uint64_t strange;         /* frames of no known kind */
    uint64_t checksum_bad;
    uint64_t unreachable; /* ICMP said so */
    uint64_t starved;     /* times that all frame buffers were in use */
    uint64_t bytes_sent;
    uint64_t bytes_received;
    uint64_t wrong[WRONG_COUNT];
    uint64_t verdicts[8];
    uint64_t codes[256];
    uint64_t reasons[256];
    uint64_t kinds[KIND_COUNT];
};

struct wrong_sample {
    enum wrong wrong;
    uint8_t kind;
    uint32_t point;
    uint64_t entry;
    struct expectation expected;
    uint8_t code, verdict, colour, reason;
    uint32_t obligations;
};

struct generator;
/* How many sequence numbers of one context the load can take at most. */
uint64_t generator_sequences(const struct generator_config *config);
/* NULL where memory is out, or the rate and timeout ask for more requests under way than can be remembered. */
struct generator *generator_open(const struct generator_config *config, char *error, size_t error_size);
/* Due times count from `ticks`. Called once, before the first step. */
void generator_start(struct generator *generator, uint64_t ticks);
/* One burst each way. False once all is sent and answered or given up. */
bool generator_step(struct generator *generator);
/* Nothing more becomes due; what is under way is awaited. From any thread. */
void generator_stop(struct generator *generator);
/* Another making of the same pool: the same requests, newly issued. It and the one before must stay until the next call
 * or the end. From any thread. */
void generator_set_pool(struct generator *generator, const struct pool *pool);
void generator_close(struct generator *generator);

void generator_counts(const struct generator *generator, struct load_counts *out);
void generator_latency(const struct generator *generator, struct histogram *out);
/* The same of right answers alone, without those that shed the request; of a generator that has ended. */
const struct histogram *generator_served(const struct generator *generator);
/* How late requests left after they were due: the tool's own part of the latency where the port takes all. */
const struct histogram *generator_lag(const struct generator *generator);
/* The first wrong answers; returns how many. After the last step only. */
unsigned generator_samples(const struct generator *generator, const struct wrong_sample **out);
void load_counts_add(struct load_counts *to, const struct load_counts *from);
uint64_t load_counts_wrong(const struct load_counts *counts);
