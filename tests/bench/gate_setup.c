#include "tests/bench/gate_setup.h"

#include <stdio.h>
#include <time.h>

#include "dataplane/clock.h"
#include "dataplane/coap.h"
#include "dataplane/reasons.h"

#define SEED 1
/* Dynamic credentials live 60 s: none is used that has less than 15 s left. */
#define RENEW_AFTER_S 40

static bool make_pool(struct bench_load *load)
{
    pool_free(&load->pool);
    load->made_at_s = clock_wall_s();
    load->cursor = 0;
    if (!pool_make(&load->profile, &load->signer, load->seed, load->made_at_s, &load->pool)) {
        snprintf(load->error, sizeof load->error, "no memory for %lu requests", load->profile.pool);
        return false;
    }
    return true;
}

bool bench_load_open(struct bench_load *load, const char *profile, uint64_t subjects)
{
    load->seed = SEED;
    if (!profile_load(profile, &load->profile))
        return false;
    load->profile.subjects = subjects ? subjects : load->profile.subjects;
    snprintf(load->error, sizeof load->error, "no memory for the issuers");
    return signer_open(&load->signer, load->seed, load->profile.issuers, load->profile.issuer_count, SIGN_NONCES) &&
           make_pool(load);
}

void bench_load_close(struct bench_load *load)
{
    pool_free(&load->pool);
    signer_close(&load->signer);
}

bool bench_trial(void *context, double rate_per_s, double duration_s, struct result *out)
{
    struct bench_load *load = context;
    const struct profile *profile = &load->profile;
    if ((double)(clock_wall_s() - load->made_at_s) + duration_s > RENEW_AFTER_S && !make_pool(load))
        return false;
    struct trial trial = {
        .config = {.port = load->port,
                   .link = &load->link,
                   .pool = &load->pool,
                   .rate = {{{rate_per_s, rate_per_s, duration_s}}, 1},
                   .arrivals = profile->arrivals,
                   .seed = load->seed,
                   .shares = 1,
                   .first_entry = load->cursor,
                   .timeout_ns = profile->timeout_ns,
                   .contexts = load->contexts,
                   .aead = load->aead},
        .duration_s = duration_s,
    };
    if (!trial_run(&trial, out, load->error, sizeof load->error))
        return false;
    load->cursor = (load->cursor + out->counts.due) % load->pool.count;
    return true;
}

void bench_report(void *context, double rate_per_s, const struct result *result, bool good)
{
    const struct bench_load *load = context;
    const struct load_counts *c = &result->counts;
    if (!load->quiet)
        fprintf(stderr,
                "%11.0f/s %-4s  %.0f/s answered, %.4f %% lost, late or shed; p50 %.1f us, p99 %.1f us, p99.9 %.1f us; "
                "sent p99 %.1f us "
                "after due\n",
                rate_per_s, good ? "good" : "bad", (double)(c->answered + c->late) / result->duration_s,
                result_loss(result) * 100, (double)histogram_percentile(&result->latency, 0.5) / 1e3,
                (double)histogram_percentile(&result->latency, 0.99) / 1e3,
                (double)histogram_percentile(&result->latency, 0.999) / 1e3,
                (double)histogram_percentile(&result->lag, 0.99) / 1e3);
    for (unsigned i = 0; i < result->sample_count && i < 4; i++) {
        const struct wrong_sample *s = &result->samples[i];
        fprintf(stderr, "  wrong %s: a %s request expected %u.%02u %s %s, got %u.%02u %s %s\n", wrong_name(s->wrong),
                request_kind_name(s->kind), s->expected.code >> 5, s->expected.code & 31,
                verdict_name(s->expected.verdict), reason_name(s->expected.reason), s->code >> 5, s->code & 31,
                verdict_name(s->verdict), reason_name(s->reason));
    }
    if (c->unmatched || c->checksum_bad || c->strange || c->starved)
        fprintf(stderr, "  %lu unmatched, %lu checksums bad, %lu strange frames, %lu times out of buffers\n",
                c->unmatched, c->checksum_bad, c->strange, c->starved);
}
