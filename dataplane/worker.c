/* The burst loop: the one file that knows the order of the stages up to the verdict, which judge.c orders. */
#include "dataplane/worker.h"

#include "dataplane/clock.h"
#include "dataplane/decision_number.h"

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
    w->oscore = terms->oscore;
    w->admit = terms->admit;
    overload_init(&w->overload, terms->config->overload_per_s, BURST_MAX);
    for (uint32_t i = 0; terms->backlogs && i < w->port_count; i++)
        w->backlogs[i] = terms->backlogs[i];
    w->deadline_ns = (uint64_t)terms->config->reply_deadline_us * 1000;
    w->lookup = terms->lookup;
    w->park = terms->park;
    w->judge.skew_s = terms->config->skew_s;
    w->judge.replay = terms->replay;
    w->next_decision = decision_count_at(clock_wall_ns());
    w->next_message_id = (uint16_t)clock_monotonic_ns();
}

bool worker_start_thread(struct worker *w)
{
    return lookup_start_thread(w->lookup) == 0;
}

/* Frame, source, message. REASON_NONE: a request, plain or protected. */
static enum reason listen(struct worker *w, const struct net *net, struct request *r)
{
    r->point = NULL;
    r->noted = r->is_protected = r->trusted = false;
    r->fingerprint = 0;
    r->max_age_s = 0;
    r->message.option_count = 0;
    enum reason why = ethernet_receive(net, r);
    if (why != REASON_NONE)
        return why;
    why = message_receive(r);
    if (why != REASON_NONE)
        return why;
    r->fingerprint = answers_fingerprint(w->answers, r);
    answers_prefetch(w->answers, r->fingerprint);
    if (r->trusted && w->judge.generation)
        generation_point_prefetch(w->judge.generation, r->source.family, r->source.address);
    return REASON_NONE;
}

/* REASON_NONE: it was not heard before. */
static enum reason recall(struct worker *w, struct request *r, uint64_t now_ns)
{
    struct bytes answer;
    switch (answers_find(w->answers, r, now_ns, &answer)) {
    case ANSWER_NEW:
        return REASON_NONE;
    case ANSWER_PENDING:
        return REASON_RETRANSMISSION_PENDING;
    default: /* put back as it was sent */
        memcpy(r->frame.data + r->datagram, answer.data, answer.length);
        r->datagram_length = (uint16_t)answer.length;
        return REASON_RETRANSMISSION;
    }
}

/* Only who is heard may fill the memory of answers. */
static void note(struct worker *w, struct request *r, uint64_t now_ns)
{
    answers_note(w->answers, r, now_ns);
    r->noted = true;
}

static bool may_challenge(struct worker *w, const struct request *r, uint64_t now_ns)
{
    struct oscore_option option = {0};
    oscore_option_read(coap_find(&r->outer, COAP_OPTION_OSCORE)->value, &option);
    return admit_challenge(w->admit, r->source.family, r->source.address, option.kid, now_ns);
}

/* The requests of a burst that came with an OSCORE option: from here on `message` is the inner one. */
static void unprotect(struct worker *w, struct request *requests[], unsigned n, uint64_t now_ns)
{
    struct oscore_request *jobs[BURST_MAX];
    struct bytes answer;
    for (unsigned i = 0; i < n; i++) {
        requests[i]->outer = requests[i]->message;
        requests[i]->oscore.outer = &requests[i]->outer;
        jobs[i] = &requests[i]->oscore;
    }
    if (n > 0)
        oscore_unprotect_burst(w->oscore, jobs, n);
    for (unsigned i = 0; i < n; i++) {
        struct request *r = requests[i];
        r->reason = r->oscore.reason;
        r->is_protected = r->oscore.is_protected;
        if (r->reason == REASON_OSCORE_ECHO && !may_challenge(w, r, now_ns)) {
            r->reason = REASON_SOURCE_BUDGET;
            r->is_protected = false;
        }
        if (r->is_protected) {
            r->message = r->oscore.inner;
            note(w, r, now_ns);
        } else if (r->reason == REASON_OSCORE_REPLAY &&
                   answers_find(w->answers, r, now_ns, &answer) == ANSWER_PENDING) {
            r->reason = REASON_RETRANSMISSION_PENDING; /* twice in one burst */
        }
    }
}

/* The point: from its security context, or, for plain CoAP, from its trusted address. */
static enum reason identify(struct worker *w, struct request *r)
{
    const struct generation *g = w->judge.generation;
    if (!r->trusted && !r->is_protected)
        return REASON_POINT_UNKNOWN;
    if (!g)
        return REASON_NO_GENERATION;
    r->point = r->is_protected ? generation_point(g, r->oscore.point, &r->point_index)
                               : generation_point_at(g, r->source.family, r->source.address, &r->point_index);
    return r->point ? REASON_NONE : REASON_POINT_UNKNOWN;
}

/* Under attack a plain request must show that its address is its own, before it costs the point's budget. */
static enum reason validate(struct worker *w, struct request *r, uint64_t now_ns)
{
    const struct coap_option *echo = coap_find(&r->message, COAP_OPTION_ECHO);
    if (r->is_protected || !r->trusted)
        return REASON_NONE;
    return admit_source(w->admit, r->source.family, r->source.address, echo ? echo->value : (struct bytes){NULL, 0},
                        now_ns, r->echo);
}

/* The budgets of a known point, then the worker's own: what is shed is shed before anything dear is done for it. */
static enum reason admit(struct worker *w, struct request *r, uint64_t now_ns)
{
    enum reason why = admit_point(w->admit, r->point, now_ns, &r->max_age_s);
    if (why != REASON_NONE)
        return why;
    if (w->backlogs[r->port])
        backlog_know(w->backlogs[r->port], &r->source, r->point->priority, now_ns);
    if (now_ns - r->since_ns > w->deadline_ns)
        return REASON_DEADLINE;
    return overload_take(&w->overload, r->point->priority, now_ns) ? REASON_NONE : REASON_OVERLOAD;
}

/* An error for someone whom nobody vouches for is answered within a budget of failures. */
static enum reason admit_error(struct worker *w, const struct request *r, enum reason why, uint64_t now_ns)
{
    enum ending ending = reason_ending(why);
    if (r->is_protected || ending < ENDING_CODE_4_00 || ending >= ENDING_ALLOW)
        return why;
    if (r->trusted) {
        /* What we are to blame for says nothing of who asks. */
        if (why != REASON_SOURCE_ECHO && why != REASON_OVERLOAD && why != REASON_DEADLINE &&
            why != REASON_NO_GENERATION)
            admit_trusted_failure(w->admit, now_ns);
        return why;
    }
    struct oscore_option option = {0};
    const struct coap_option *found = coap_find(&r->message, COAP_OPTION_OSCORE);
    if (found)
        oscore_option_read(found->value, &option);
    return admit_failure(w->admit, r->source.family, r->source.address, option.kid, why, now_ns);
}

/* Resource and point. */
static enum reason locate(struct worker *w, struct request *r, uint64_t now_ns)
{
    enum reason why = resource_check(&r->message);
    if (why == REASON_COAP_DISCOVERY)
        return r->trusted || r->is_protected ? why : REASON_POINT_UNKNOWN;
    if (why != REASON_NONE)
        return why;
    why = validate(w, r, now_ns);
    if (why == REASON_NONE)
        why = identify(w, r);
    if (why == REASON_NONE)
        admit_prefetch(w->admit, r->point);
    return why;
}

/* Budgets and request map: REASON_NONE where it is to be judged. */
static enum reason understand(struct worker *w, struct request *r, uint64_t now_ns)
{
    enum reason why = admit(w, r, now_ns);
    return why == REASON_NONE ? request_parse(r, r->message.payload) : why;
}

/* From frames to requests that can be judged, which are put into `open`. Returns their number. */
static unsigned hear(struct worker *w, const struct net *net, struct request *open[], unsigned n, uint64_t now_ns)
{
    struct request *to_unprotect[BURST_MAX];
    unsigned sealed = 0, opened = 0;
    for (unsigned i = 0; i < n; i++)
        w->requests[i].reason = listen(w, net, &w->requests[i]);
    for (unsigned i = 0; i < n; i++) {
        struct request *r = &w->requests[i];
        if (r->reason == REASON_NONE)
            r->reason = recall(w, r, now_ns);
        if (r->reason != REASON_NONE)
            continue;
        if (!coap_find(&r->message, COAP_OPTION_OSCORE)) {
            if (r->trusted)
                note(w, r, now_ns);
        } else if (w->oscore) {
            to_unprotect[sealed++] = r;
        } else {
            r->reason = REASON_OSCORE_CONTEXT;
        }
    }
    unprotect(w, to_unprotect, sealed, now_ns);
    for (unsigned i = 0; i < n; i++)
        if (w->requests[i].reason == REASON_NONE)
            w->requests[i].reason = locate(w, &w->requests[i], now_ns);
    for (unsigned i = 0; i < n; i++) {
        struct request *r = &w->requests[i];
        if (r->reason == REASON_NONE)
            r->reason = understand(w, r, now_ns);
        if (r->reason == REASON_NONE)
            open[opened++] = r;
        else
            r->reason = admit_error(w, r, r->reason, now_ns);
    }
    return opened;
}

/* What the store says of a subject, or that it does not. */
static void conclude(struct worker *w, struct request *r, enum lookup_status status,
                     const struct subject_record *record)
{
    switch (status) {
    case LOOKUP_FOUND:
        judge_state(&w->judge, r, record);
        break;
    case LOOKUP_ABSENT:
        judge_state(&w->judge, r, NULL);
        break;
    case LOOKUP_BUSY:
        judge_without_state(r, REASON_STATUS_BUSY);
        break;
    default:
        judge_without_state(r, REASON_STATUS_DAMAGED);
    }
}

/* Ends a request, or parks it until the disk has answered. */
static void look_up(struct worker *w, struct request *r, uint64_t now_ns)
{
    struct subject_record record;
    uint64_t cookie;
    if (!r->has_credential) {
        judge_state(&w->judge, r, NULL);
        return;
    }
    enum lookup_status status = LOOKUP_BUSY;
    if (park_room(w->park, &cookie))
        status = lookup_start(w->lookup, &w->judge.generation->subjects, r->subject_key, cookie, &record);
    if (status != LOOKUP_PENDING) {
        conclude(w, r, status, &record);
        return;
    }
    r->generation_number = w->judge.generation->number;
    park_put(w->park, r, now_ns);
    r->parked = true;
    count(&w->counters.parked, 1);
}

static void judge(struct worker *w, struct request *open[], unsigned n, uint64_t now_ns)
{
    n = judge_credentials(&w->judge, open, n);
    for (unsigned i = 0; i < n; i++) {
        if (!open[i]->has_credential)
            continue;
        judge_subject_key(&w->judge, open[i], open[i]->subject_key);
        lookup_prefetch(&w->judge.generation->subjects, open[i]->subject_key);
    }
    for (unsigned i = 0; i < n; i++)
        look_up(w, open[i], now_ns);
    lookup_submit(w->lookup);
}

static void number_decision(struct worker *w, struct request *r)
{
    r->decision_number = decision_number(w->next_decision++, w->number);
    count(&w->counters.verdicts[r->decision.verdict], 1);
}

static struct reply_terms terms_of(struct worker *w, const struct request *r)
{
    uint32_t spread_s = MAX_AGE_BASE_S + (uint32_t)(r->fingerprint % MAX_AGE_SPREAD);
    return (struct reply_terms){.message_id = w->next_message_id++,
                                .ruleset_version = w->ruleset_version,
                                .max_age_s = r->max_age_s ? r->max_age_s : spread_s};
}

static void finish(struct worker *w, const struct net *net, struct request *r, size_t length)
{
    if (r->noted)
        answers_keep(w->answers, r, (struct bytes){r->frame.data + r->datagram, length});
    udp_reply(net, r, length);
}

/* Answers that go back protected; those whose context is gone have no size, and `answered` says so. */
static void reply_protected(struct worker *w, const struct net *net, struct request *requests[], unsigned n)
{
    struct oscore_request *jobs[BURST_MAX];
    struct reply_terms terms[BURST_MAX];
    for (unsigned i = 0; i < n; i++) {
        struct request *r = requests[i];
        terms[i] = terms_of(w, r);
        r->oscore.response = w->plaintexts[i];
        r->oscore.response_size = (uint16_t)reply_plaintext_write(r, &terms[i], w->plaintexts[i], ANSWER_PLAINTEXT_MAX);
        jobs[i] = &r->oscore;
    }
    if (n > 0)
        oscore_protect_burst(w->oscore, jobs, n);
    for (unsigned i = 0; i < n; i++)
        if (requests[i]->oscore.response_size > 0)
            finish(w, net, requests[i], reply_protected_write(requests[i], &terms[i]));
}

/* Writes each answer over its request, headers and all. */
static void reply(struct worker *w, const struct net *net, struct request *requests[], unsigned n)
{
    struct request *to_protect[BURST_MAX];
    unsigned sealed = 0;
    for (unsigned i = 0; i < n; i++) {
        struct request *r = requests[i];
        enum ending ending = reason_ending(r->reason);
        if (ending == ENDING_DROP || ending == ENDING_LINK)
            continue;
        struct reply_terms terms;
        if (r->reason == REASON_RETRANSMISSION) {
            udp_reply(net, r, r->datagram_length);
        } else if (r->is_protected) {
            to_protect[sealed++] = r;
        } else {
            terms = terms_of(w, r);
            finish(w, net, r, reply_write(r, &terms));
        }
    }
    reply_protected(w, net, to_protect, sealed);
}

static bool answered(const struct request *r)
{
    if (reason_ending(r->reason) == ENDING_DROP)
        return false;
    return !r->is_protected || r->oscore.response_size > 0;
}

/* Counts and sends n requests of one port, at most BURST_MAX, that have ended; their frames leave the worker. */
static void end(struct worker *w, unsigned port, struct request *requests[], unsigned n)
{
    struct frame unanswered[BURST_MAX], answers[BURST_MAX];
    unsigned answer_count = 0, drops = 0;
    reply(w, &w->nets[port], requests, n);
    for (unsigned i = 0; i < n; i++) {
        struct request *r = requests[i];
        assert(r->reason != REASON_NONE);
        count(&w->counters.ended[r->reason], 1);
        if (answered(r))
            answers[answer_count++] = r->frame;
        else
            unanswered[drops++] = r->frame;
        if (!answered(r) && r->is_protected)
            count(&w->counters.protect_failed, 1);
    }
    port_free(w->ports[port], unanswered, drops);
    unsigned sent = port_send(w->ports[port], w->queue, answers, answer_count);
    count(&w->counters.sent, sent);
    count(&w->counters.send_failed, answer_count - sent);
}

/* What the port holds beyond a burst goes to the backlog, and a burst comes back from there. */
static unsigned exchange_backlog(struct worker *w, unsigned port, struct frame frames[], uint64_t since_ns[],
                                 unsigned n, uint64_t now_ns)
{
    struct backlog *b = w->backlogs[port];
    backlog_put(b, frames, n);
    while (n == BURST_MAX && backlog_has_room(b)) {
        n = port_receive(w->ports[port], w->queue, frames, BURST_MAX);
        backlog_put(b, frames, n);
    }
    if (n < BURST_MAX)
        backlog_emptied(b, now_ns);
    unsigned taken = backlog_take(b, now_ns, frames, since_ns);
    struct frame excess[BURST_MAX];
    while ((n = backlog_take_excess(b, excess)) > 0) {
        port_free(w->ports[port], excess, n);
        count(&w->counters.received, n);
        count(&w->counters.ended[REASON_UNHEARD], n);
    }
    return taken;
}

static unsigned receive(struct worker *w, unsigned port, uint64_t now_ns)
{
    struct frame frames[BURST_MAX];
    uint64_t since_ns[BURST_MAX];
    struct backlog *b = w->backlogs[port];
    unsigned n = 0;
    bool waiting = b && backlog_count(b) > 0;
    if (!waiting || backlog_has_room(b))
        n = port_receive(w->ports[port], w->queue, frames, BURST_MAX);
    if (b && !waiting && n < BURST_MAX)
        backlog_emptied(b, now_ns);
    waiting = b && (waiting || n == BURST_MAX);
    if (waiting)
        n = exchange_backlog(w, port, frames, since_ns, n, now_ns);
    overload_burst(&w->overload, waiting && backlog_is_overload(b) ? n : 0);
    for (unsigned i = 0; i < n; i++) {
        struct request *r = &w->requests[i];
        assert(frames[i].room >= frames[i].length);
        r->frame = frames[i];
        r->port = (uint8_t)port;
        r->since_ns = waiting ? since_ns[i] : now_ns;
        r->parked = false;
    }
    count(&w->counters.received, n);
    return n;
}

static unsigned step_port(struct worker *w, unsigned port, uint64_t now_ns)
{
    struct request *open[BURST_MAX], *ended[BURST_MAX];
    unsigned n = receive(w, port, now_ns), ended_count = 0;
    if (n == 0)
        return 0;
    unsigned opened = hear(w, &w->nets[port], open, n, now_ns);
    judge(w, open, opened, now_ns);
    for (unsigned i = 0; i < n; i++) {
        struct request *r = &w->requests[i];
        if (r->parked)
            continue;
        if (reason_ending(r->reason) >= ENDING_ALLOW)
            number_decision(w, r);
        ended[ended_count++] = r;
    }
    end(w, port, ended, ended_count);
    count(&w->counters.bursts, 1);
    return n;
}

/* A parked request goes on in the generation of now: where that is another, all that was found in the old one is found
 * again, so that no verdict mixes two. False where it has ended by that. */
static bool still_open(struct worker *w, struct request *r)
{
    uint8_t key[SUBJECT_KEY_SIZE];
    r->parked = false;
    if (r->generation_number == w->judge.generation->number)
        return true;
    r->reason = identify(w, r);
    if (r->reason != REASON_NONE || judge_credentials(&w->judge, &r, 1) != 1)
        return false;
    judge_subject_key(&w->judge, r, key);
    if (memcmp(key, r->subject_key, sizeof key) == 0)
        return true;
    judge_without_state(r, REASON_STATUS_TIMEOUT); /* another store: it was asked by a name that is not known there */
    return false;
}

static void end_parked(struct worker *w, struct request *r)
{
    if (reason_ending(r->reason) >= ENDING_ALLOW)
        number_decision(w, r);
    end(w, r->port, &r, 1);
}

static void resume(struct worker *w, uint64_t now_ns)
{
    struct lookup_result results[BURST_MAX];
    struct request *r;
    unsigned n = lookup_reap(w->lookup, &w->judge.generation->subjects, results, BURST_MAX);
    for (unsigned i = 0; i < n; i++) {
        r = park_take(w->park, results[i].cookie);
        if (!r)
            continue; /* it was late and has ended */
        if (still_open(w, r))
            conclude(w, r, results[i].status, &results[i].record);
        end_parked(w, r);
    }
    while ((r = park_take_late(w->park, now_ns))) {
        if (still_open(w, r))
            judge_without_state(r, REASON_STATUS_TIMEOUT);
        end_parked(w, r);
    }
}

unsigned worker_step(struct worker *w)
{
    unsigned received = 0;
    uint64_t now_ns = clock_monotonic_ns();
    w->judge.generation = publisher_read(w->publisher);
    w->judge.now_s = clock_wall_s();
    if (w->next_decision < decision_count_of(w->judge.now_s))
        w->next_decision = decision_count_of(w->judge.now_s);
    const struct rule_set *rules = w->judge.generation ? generation_rules(w->judge.generation, w->judge.now_s) : NULL;
    w->ruleset_version = rules ? rule_set_version(rules) : 0;
    if (park_count(w->park) > 0 || lookup_pending(w->lookup) > 0)
        resume(w, now_ns);
    for (unsigned i = 0; i < w->port_count; i++)
        received += step_port(w, i, now_ns);
    count(&w->counters.replay_forgotten, w->judge.replay_forgotten - w->counters.replay_forgotten);
    count(&w->counters.parked_now, park_count(w->park) - w->counters.parked_now);
    publisher_quiescent(w->publisher, w->number);
    return received;
}
