/* The burst loop: the one file that knows the order of the stages up to the verdict, which judge.c orders. */
#include "dataplane/worker.h"

#include "dataplane/clock.h"

/* Decision numbers grow and are never given twice: the start time, a count, the worker. 2^23 a second on average would
 * have to be spent before a restart could meet an earlier number. */
#define DECISION_WORKER_BITS 5
#define DECISION_SECOND_BITS 23
static_assert(CONFIG_WORKERS_MAX <= 1 << DECISION_WORKER_BITS, "a worker's number fits");

/* When a refused point may come back: spread over a few seconds, so that they do not all return at once. */
#define MAX_AGE_BASE_S 1
#define MAX_AGE_SPREAD 4

void worker_init(struct worker *w, const struct worker_terms *terms)
{
    memset(w, 0, sizeof *w);
    w->number = terms->number;
    w->queue = terms->queue;
    w->port_count = terms->config->port_count;
    for (uint32_t i = 0; i < w->port_count; i++) {
        w->ports[i] = terms->ports[i];
        net_init(&w->nets[i], terms->config, i, port_mac(terms->ports[i]), port_makes_checksums(terms->ports[i]));
    }
    w->publisher = terms->publisher;
    w->answers = terms->answers;
    w->judge.skew_s = terms->config->skew_s;
    w->next_decision = clock_wall_s() << DECISION_SECOND_BITS;
    w->next_message_id = (uint16_t)clock_monotonic_ns();
}

/* The point, by the trusted address that plain CoAP comes from. */
static enum reason identify_point(struct worker *w, struct request *r)
{
    const struct generation *g = w->judge.generation;
    if (!r->trusted)
        return REASON_POINT_UNKNOWN;
    if (!g)
        return REASON_NO_GENERATION;
    r->point = generation_point_at(g, r->source.family, r->source.address, &r->point_index);
    return r->point ? REASON_NONE : REASON_POINT_UNKNOWN;
}

/* The same message again: the same answer, put back as it was sent. */
static enum reason answer_again(struct worker *w, struct request *r, uint64_t now_ns)
{
    struct bytes answer;
    r->fingerprint = answers_fingerprint(w->answers, r);
    r->answer_kept = true;
    switch (answers_begin(w->answers, r, now_ns, &answer)) {
    case ANSWER_NEW:
        return REASON_NONE;
    case ANSWER_PENDING:
        return REASON_RETRANSMISSION_PENDING;
    default:
        memcpy(r->frame.data + r->datagram, answer.data, answer.length);
        r->datagram_length = (uint16_t)answer.length;
        return REASON_RETRANSMISSION;
    }
}

/* Frame, source, message, point, request: REASON_NONE where it is to be judged. */
static enum reason hear(struct worker *w, const struct net *net, struct request *r, uint64_t now_ns)
{
    r->point = NULL;
    r->answer_kept = false;
    r->fingerprint = 0;
    r->trusted = false;
    enum reason why = ethernet_receive(net, r);
    if (why != REASON_NONE)
        return why;
    why = message_receive(r);
    if (why != REASON_NONE)
        return why;
    /* Only who is heard at all may fill the memory of answers. */
    if (r->trusted && (why = answer_again(w, r, now_ns)) != REASON_NONE)
        return why;
    why = resource_check(&r->message);
    if (why == REASON_COAP_DISCOVERY)
        return r->trusted ? why : REASON_POINT_UNKNOWN;
    if (why != REASON_NONE)
        return why;
    why = identify_point(w, r);
    if (why != REASON_NONE)
        return why;
    return request_parse(r, r->message.payload);
}

/* Writes the answer over the request, headers and all; false where nothing goes back. */
static bool answer(struct worker *w, const struct net *net, struct request *r)
{
    enum ending ending = reason_ending(r->reason);
    if (ending == ENDING_DROP)
        return false;
    if (ending == ENDING_LINK)
        return true;
    size_t length = r->datagram_length;
    if (r->reason != REASON_RETRANSMISSION) {
        struct reply_terms terms = {.message_id = w->next_message_id++,
                                    .ruleset_version = w->ruleset_version,
                                    .max_age_s = MAX_AGE_BASE_S + (uint32_t)(r->fingerprint % MAX_AGE_SPREAD)};
        length = reply_write(r, &terms);
        if (r->answer_kept)
            answers_keep(w->answers, r, (struct bytes){r->frame.data + r->datagram, length});
    }
    udp_reply(net, r, length);
    return true;
}

static void judge(struct worker *w, struct request *open[], unsigned n)
{
    n = judge_credentials(&w->judge, open, n);
    for (unsigned i = 0; i < n; i++) {
        struct subject_record record;
        uint8_t key[SUBJECT_KEY_SIZE];
        bool found = false;
        if (open[i]->has_credential) {
            judge_subject_key(&w->judge, open[i], key);
            found = overlay_get(w->judge.generation->overlay, key, &record);
        }
        judge_state(&w->judge, open[i], found ? &record : NULL);
    }
}

static void number_decision(struct worker *w, struct request *r)
{
    r->decision_number = w->next_decision++ << DECISION_WORKER_BITS | w->number;
    count(&w->counters.verdicts[r->decision.verdict], 1);
}

static unsigned receive(struct worker *w, struct port *port)
{
    unsigned n = port_receive(port, w->queue, w->frames, BURST_MAX);
    for (unsigned i = 0; i < n; i++) {
        assert(w->frames[i].room >= w->frames[i].length);
        w->requests[i].frame = w->frames[i];
    }
    return n;
}

static void send(struct worker *w, struct port *port, const struct net *net, unsigned n)
{
    struct frame unanswered[BURST_MAX];
    unsigned answers = 0, drops = 0;
    for (unsigned i = 0; i < n; i++) {
        struct request *r = &w->requests[i];
        assert(r->reason != REASON_NONE);
        count(&w->counters.ended[r->reason], 1);
        if (answer(w, net, r))
            w->frames[answers++] = r->frame;
        else
            unanswered[drops++] = r->frame;
    }
    port_free(port, unanswered, drops);
    unsigned sent = port_send(port, w->queue, w->frames, answers);
    count(&w->counters.sent, sent);
    count(&w->counters.send_failed, answers - sent);
}

static unsigned step_port(struct worker *w, struct port *port, const struct net *net)
{
    struct request *open[BURST_MAX];
    unsigned n = receive(w, port), opened = 0;
    if (n == 0)
        return 0;
    uint64_t now_ns = clock_monotonic_ns();
    for (unsigned i = 0; i < n; i++) {
        struct request *r = &w->requests[i];
        r->reason = hear(w, net, r, now_ns);
        if (r->reason == REASON_NONE)
            open[opened++] = r;
    }
    unsigned judged = opened;
    struct request *verdicts[BURST_MAX];
    memcpy(verdicts, open, opened * sizeof *open);
    judge(w, open, opened);
    for (unsigned i = 0; i < judged; i++)
        number_decision(w, verdicts[i]);
    count(&w->counters.received, n);
    count(&w->counters.bursts, 1);
    send(w, port, net, n);
    return n;
}

unsigned worker_step(struct worker *w)
{
    unsigned received = 0;
    w->judge.generation = publisher_read(w->publisher);
    w->judge.now_s = clock_wall_s();
    const struct rule_set *rules = w->judge.generation ? generation_rules(w->judge.generation, w->judge.now_s) : NULL;
    w->ruleset_version = rules ? rule_set_version(rules) : 0;
    for (uint32_t i = 0; i < w->port_count; i++)
        received += step_port(w, w->ports[i], &w->nets[i]);
    publisher_quiescent(w->publisher, w->number);
    return received;
}
