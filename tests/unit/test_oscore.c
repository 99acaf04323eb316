/* The appliance's end of OSCORE against the slow reference, which plays the points. */
#include "tests/unit/unit.h"

#include <string.h>

#include "dataplane/oscore.h"
#include "dataplane/oscore_contexts.h"
#include "dataplane/oscore_window.h"
#include "tests/reference/oscore_reference.h"

#define ROOM 256

struct world {
    struct oscore *oscore;
    struct oscore_worker *workers[2];
};

/* One datagram on its way, and what the stages made of it. */
struct scan {
    uint8_t wire[ROOM];
    struct coap_message outer;
    struct oscore_request request;
    uint8_t response[ROOM];
};

static struct point point_of(uint32_t id, enum point_oscore_alg alg)
{
    struct point p = {.id = id,
                      .oscore = {.alg = alg,
                                 .master_secret_size = 16,
                                 .master_salt_size = 8,
                                 .point_id_size = 4,
                                 .appliance_id_size = 1,
                                 .appliance_id = {0xaa}}};
    memset(p.oscore.master_secret, (int)id + 1, 16);
    memcpy(p.oscore.master_secret, &id, sizeof id);
    memset(p.oscore.master_salt, 0x5a, 8);
    memcpy(p.oscore.point_id, &id, sizeof id);
    return p;
}

static int begin(void **state)
{
    static struct world w;
    w.oscore = oscore_create(64, 3);
    for (unsigned i = 0; i < 2; i++)
        w.workers[i] = oscore_worker_create(w.oscore, NULL);
    *state = &w;
    return w.oscore && w.workers[0] && w.workers[1] ? 0 : -1;
}

static int end(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < 2; i++)
        oscore_worker_destroy(w->workers[i]);
    oscore_destroy(w->oscore);
    return 0;
}

/* POST with one payload byte, and the Echo where it is not NULL. */
static void send(struct scan *s, const struct point *p, uint64_t sequence, const uint8_t *echo)
{
    uint8_t plain[64], option[32], sealed[ROOM];
    plain[0] = COAP_POST;
    struct coap_writer inner = coap_write_options(plain + 1, sizeof plain - 1);
    if (echo)
        coap_put_option(&inner, COAP_OPTION_ECHO, (struct bytes){echo, OSCORE_ECHO_SIZE});
    coap_put_payload(&inner, bytes_of_text("x"));
    size_t option_size,
        size = reference_seal_request(&p->oscore, sequence, (struct bytes){plain, 1 + coap_written(&inner)}, option,
                                      &option_size, sealed);
    struct coap_writer out = coap_write(s->wire, sizeof s->wire, COAP_CON, COAP_POST, 99, bytes_of_text("token"));
    coap_put_option(&out, COAP_OPTION_OSCORE, (struct bytes){option, option_size});
    coap_put_payload(&out, (struct bytes){sealed, size});
    assert_int_equal(coap_parse((struct bytes){s->wire, coap_written(&out)}, &s->outer), COAP_OK);
    s->request = (struct oscore_request){.outer = &s->outer};
}

static enum reason arrive(struct oscore_worker *worker, struct scan *s)
{
    struct oscore_request *requests[] = {&s->request};
    oscore_unprotect_burst(worker, requests, 1);
    return s->request.reason;
}

static enum reason scan(struct oscore_worker *worker, const struct point *p, uint64_t sequence, const uint8_t *echo)
{
    struct scan s;
    send(&s, p, sequence, echo);
    return arrive(worker, &s);
}

/* Protects "Eok" and opens it at the point. Returns the answer's own Partial IV's size, or -1 where none came. */
static int answer(struct oscore_worker *worker, struct scan *s, const struct point *p, struct bytes request_piv)
{
    uint8_t plain[ROOM];
    struct oscore_request *requests[] = {&s->request};
    struct oscore_option option;
    memcpy(s->response, "Eok", 3);
    s->request.response = s->response;
    s->request.response_size = 3;
    oscore_protect_burst(worker, requests, 1);
    if (s->request.response_size == 0)
        return -1;
    assert_true(oscore_option_read((struct bytes){s->request.option, s->request.option_size}, &option));
    assert_int_equal(reference_open_response(&p->oscore, request_piv, option.piv,
                                             (struct bytes){s->response, s->request.response_size}, plain),
                     3);
    assert_memory_equal(plain, "Eok", 3);
    return (int)option.piv.length;
}

/* Meets the challenge with `sequence`. */
static void synchronise(struct world *w, const struct point *p, uint64_t sequence)
{
    struct scan s;
    send(&s, p, sequence, NULL);
    assert_int_equal(arrive(w->workers[0], &s), REASON_OSCORE_ECHO);
    assert_int_equal(scan(w->workers[0], p, sequence, s.request.echo), REASON_NONE);
}

static void a_request_comes_out_as_it_went_in(void **state)
{
    struct world *w = *state;
    static const enum point_oscore_alg algs[] = {POINT_OSCORE_AES_CCM, POINT_OSCORE_CHACHA20};
    for (uint32_t i = 0; i < 2; i++) {
        struct point p = point_of(i, algs[i]);
        p.oscore.id_context_size = i ? 8 : 0;
        assert_int_equal(oscore_put(w->oscore, &p), OSCORE_ADDED);
        synchronise(w, &p, 5);
        struct scan s;
        send(&s, &p, 300, NULL);
        assert_int_equal(arrive(w->workers[1], &s), REASON_NONE);
        assert_true(s.request.is_protected);
        assert_int_equal(s.request.point, i);
        assert_int_equal(s.request.inner.code, COAP_POST);
        assert_int_equal(s.request.inner.id, 99);
        assert_true(
            bytes_equal((struct bytes){s.request.inner.token, s.request.inner.token_length}, bytes_of_text("token")));
        assert_true(bytes_equal(s.request.inner.payload, bytes_of_text("x")));
        static const uint8_t piv[] = {1, 44};
        assert_int_equal(answer(w->workers[1], &s, &p, (struct bytes){piv, 2}), 0);
        /* The request's nonce is spent. */
        assert_int_equal(answer(w->workers[1], &s, &p, (struct bytes){piv, 2}), -1);
    }
}

static void a_context_asks_for_freshness_before_its_first_request(void **state)
{
    struct world *w = *state;
    struct point p = point_of(7, POINT_OSCORE_AES_CCM);
    const uint8_t piv[] = {40}, wrong[OSCORE_ECHO_SIZE] = {1};
    oscore_put(w->oscore, &p);
    struct scan first, second;
    send(&first, &p, 40, NULL);
    assert_int_equal(arrive(w->workers[0], &first), REASON_OSCORE_ECHO);
    assert_true(first.request.is_protected);
    assert_int_equal(answer(w->workers[0], &first, &p, (struct bytes){piv, 1}), 4); /* start 3 in the fourth byte */
    /* The same again is challenged again, under another number. */
    send(&second, &p, 40, NULL);
    assert_int_equal(arrive(w->workers[1], &second), REASON_OSCORE_ECHO);
    assert_int_equal(answer(w->workers[1], &second, &p, (struct bytes){piv, 1}), 4);
    assert_memory_not_equal(first.request.option, second.request.option, 5);
    assert_int_equal(scan(w->workers[0], &p, 41, wrong), REASON_OSCORE_ECHO);
    send(&first, &p, 41, second.request.echo);
    assert_int_equal(arrive(w->workers[0], &first), REASON_NONE);
    const uint8_t met[] = {41};
    assert_int_equal(answer(w->workers[0], &first, &p, (struct bytes){met, 1}), 0);
    /* Nothing from before is taken, the challenge's own number least of all. */
    assert_int_equal(scan(w->workers[1], &p, 41, second.request.echo), REASON_OSCORE_REPLAY);
    assert_int_equal(scan(w->workers[1], &p, 40, NULL), REASON_OSCORE_REPLAY);
    assert_int_equal(scan(w->workers[1], &p, 42, NULL), REASON_NONE);
}

static void each_number_is_taken_once_on_whichever_worker(void **state)
{
    struct world *w = *state;
    struct point p = point_of(8, POINT_OSCORE_AES_CCM);
    oscore_put(w->oscore, &p);
    synchronise(w, &p, 0);
    static const struct {
        uint64_t sequence;
        enum reason reason;
    } rows[] = {
        {5, REASON_NONE},
        {5, REASON_OSCORE_REPLAY},
        {1, REASON_NONE},
        {1, REASON_OSCORE_REPLAY},
        {36, REASON_NONE},
        {4, REASON_OSCORE_REPLAY},
        {5, REASON_OSCORE_REPLAY},
        {6, REASON_NONE},
        {37, REASON_NONE},
        {7, REASON_NONE},
        {6, REASON_OSCORE_REPLAY},
        {1000, REASON_NONE},
        {968, REASON_OSCORE_REPLAY},
        {969, REASON_NONE},
        {0xfffffffe, REASON_NONE},
        {0xfffffffe, REASON_OSCORE_REPLAY},
        {0xfffffffd, REASON_NONE},
        {0xffffffff, REASON_OSCORE_CONTEXT},
        {UINT64_C(0xffffffffff), REASON_OSCORE_CONTEXT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (scan(w->workers[i % 2], &p, rows[i].sequence, NULL) != rows[i].reason)
            fail_msg("row %zu", i);
}

/* Both copies pass the first look and are decrypted; one takes the number. */
static void two_copies_in_one_burst_have_one_winner(void **state)
{
    struct world *w = *state;
    struct point p = point_of(9, POINT_OSCORE_AES_CCM);
    oscore_put(w->oscore, &p);
    synchronise(w, &p, 0);
    struct scan a, b;
    send(&a, &p, 1, NULL);
    send(&b, &p, 1, NULL);
    struct oscore_request *requests[] = {&a.request, &b.request};
    oscore_unprotect_burst(w->workers[0], requests, 2);
    assert_int_equal(a.request.reason, REASON_NONE);
    assert_int_equal(b.request.reason, REASON_OSCORE_REPLAY);
    const uint8_t piv[] = {1};
    assert_int_equal(answer(w->workers[0], &b, &p, (struct bytes){piv, 1}), -1);
    assert_int_equal(answer(w->workers[0], &a, &p, (struct bytes){piv, 1}), 0);
}

static void every_flipped_bit_is_refused(void **state)
{
    struct world *w = *state;
    struct point p = point_of(10, POINT_OSCORE_AES_CCM);
    oscore_put(w->oscore, &p);
    synchronise(w, &p, 0);
    struct scan s;
    send(&s, &p, 2, NULL);
    size_t begin_at = (size_t)(coap_find(&s.outer, COAP_OPTION_OSCORE)->value.data - s.wire),
           end_at = (size_t)(s.outer.payload.data + s.outer.payload.length - s.wire);
    for (size_t bit = begin_at * 8; bit < end_at * 8; bit++) {
        struct coap_message parsed;
        send(&s, &p, 2, NULL);
        s.wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (coap_parse((struct bytes){s.wire, end_at}, &parsed) != COAP_OK)
            continue;
        s.outer = parsed;
        enum reason why = arrive(w->workers[0], &s);
        if (why != REASON_OSCORE_FORM && why != REASON_OSCORE_CONTEXT && why != REASON_OSCORE_PROTECTION &&
            why != REASON_OSCORE_REPLAY)
            fail_msg("bit %zu: %s", bit, reason_name(why));
        assert_false(s.request.is_protected);
    }
    assert_int_equal(scan(w->workers[0], &p, 2, NULL), REASON_NONE);
}

static void a_context_that_went_is_not_found_and_answers_nothing(void **state)
{
    struct world *w = *state;
    struct point p = point_of(11, POINT_OSCORE_AES_CCM);
    oscore_put(w->oscore, &p);
    synchronise(w, &p, 0);
    struct scan parked;
    send(&parked, &p, 1, NULL);
    assert_int_equal(arrive(w->workers[0], &parked), REASON_NONE);
    uint32_t count = oscore_count(w->oscore);
    assert_int_equal(oscore_remove(w->oscore, 11), OSCORE_ADDED);
    assert_int_equal(oscore_remove(w->oscore, 11), OSCORE_ABSENT);
    assert_int_equal(oscore_count(w->oscore), count - 1);
    assert_int_equal(scan(w->workers[0], &p, 2, NULL), REASON_OSCORE_CONTEXT);
    uint32_t slot = parked.request.binding.slot;
    oscore_reclaim(w->oscore);
    static const struct oscore_keys wiped;
    assert_memory_equal(&w->oscore->contexts[slot].keys, &wiped, sizeof wiped);
    const uint8_t piv[] = {1};
    assert_int_equal(answer(w->workers[0], &parked, &p, (struct bytes){piv, 1}), -1);
    /* The same keys come back into the same slot: the parked request is still not theirs. */
    oscore_put(w->oscore, &p);
    assert_int_equal(w->oscore->contexts[slot].point, 11);
    assert_int_equal(answer(w->workers[0], &parked, &p, (struct bytes){piv, 1}), -1);
}

/* A context that comes back takes no number of its own that it had before, nor a request. */
static void a_context_that_comes_back_repeats_nothing(void **state)
{
    struct world *w = *state;
    struct point p = point_of(12, POINT_OSCORE_AES_CCM);
    uint8_t options[2][OSCORE_OPTION_MAX];
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(oscore_put(w->oscore, &p), OSCORE_ADDED);
        assert_int_equal(oscore_put(w->oscore, &p), OSCORE_KEPT);
        struct scan s;
        send(&s, &p, 1, NULL);
        assert_int_equal(arrive(w->workers[0], &s), REASON_OSCORE_ECHO);
        const uint8_t piv[] = {1};
        assert_int_equal(answer(w->workers[0], &s, &p, (struct bytes){piv, 1}), 4);
        memcpy(options[i], s.request.option, sizeof options[i]);
        oscore_remove(w->oscore, 12);
        oscore_reclaim(w->oscore);
    }
    assert_memory_not_equal(options[0], options[1], 5);
}

static void a_rotated_secret_replaces_the_old_one(void **state)
{
    struct world *w = *state;
    struct point p = point_of(13, POINT_OSCORE_CHACHA20), rotated = p, other = point_of(14, POINT_OSCORE_AES_CCM);
    oscore_put(w->oscore, &p);
    synchronise(w, &p, 0);
    rotated.oscore.master_secret[5] ^= 1;
    assert_int_equal(oscore_put(w->oscore, &rotated), OSCORE_ADDED);
    assert_int_equal(scan(w->workers[0], &p, 1, NULL), REASON_OSCORE_PROTECTION);
    synchronise(w, &rotated, 0);
    memcpy(other.oscore.point_id, p.oscore.point_id, 4);
    assert_int_equal(oscore_put(w->oscore, &other), OSCORE_DUPLICATE);
    other.oscore.id_context_size = 1;
    assert_int_equal(oscore_put(w->oscore, &other), OSCORE_ADDED);
    other.oscore.alg = POINT_OSCORE_NONE;
    assert_int_equal(oscore_put(w->oscore, &other), OSCORE_ADDED);
    other.oscore = p.oscore;
    memcpy(other.oscore.appliance_id, other.oscore.point_id, 4);
    other.oscore.appliance_id_size = 4;
    assert_int_equal(oscore_put(w->oscore, &other), OSCORE_INVALID);
    assert_int_equal(scan(w->workers[1], &rotated, 1, NULL), REASON_NONE);
}

static const struct {
    const char *what;
    const char *value;
    size_t size;
    bool ok;
} options[] = {
#define ROW(what, value, ok)                                                                                           \
    {                                                                                                                  \
        what, value, sizeof value - 1, ok                                                                              \
    }
    ROW("empty", "", true),
    ROW("Partial IV and kid", "\x09\x14\x00", true),
    ROW("kid context", "\x19\x14\x02\x01\x02\x07", true),
    ROW("empty kid context and kid", "\x19\x14\x00", true),
    ROW("zero flags written out", "\x00", false),
    ROW("reserved bit", "\x29\x14", false),
    ROW("reserved length of the Partial IV", "\x0e\x01\x02\x03\x04\x05\x06", false),
    ROW("Partial IV cut", "\x0a\x14", false),
    ROW("Partial IV with a leading zero", "\x0a\x00\x14", false),
    ROW("kid context cut", "\x19\x14\x02\x01", false),
    ROW("kid context's length missing", "\x19\x14", false),
    ROW("something behind without a kid", "\x01\x14\x00", false),
#undef ROW
};

static void each_option_is_read_or_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        struct oscore_option read;
        uint8_t room[OSCORE_OPTION_MAX];
        struct bytes value = {(const uint8_t *)options[i].value, options[i].size};
        if (oscore_option_read(value, &read) != options[i].ok)
            fail_msg("%s", options[i].what);
        if (options[i].ok)
            assert_true(bytes_equal(value, (struct bytes){room, oscore_option_write(&read, room)}));
    }
}

/* The window against a set of all numbers seen. */
static void the_window_agrees_with_a_plain_set(void **state)
{
    (void)state;
    static bool seen[4096];
    uint64_t window = 0, highest = 0;
    uint32_t random = 1;
    bool any = false;
    for (unsigned i = 0; i < 20000; i++) {
        random = random * 1664525u + 1013904223u;
        uint64_t sequence = (highest + (random >> 20) % 80) % 4096;
        sequence = sequence > 40 ? sequence - 40 : sequence;
        bool fresh = !seen[sequence] && (!any || sequence > highest || highest - sequence < OSCORE_WINDOW_SIZE);
        assert_int_equal(window_is_fresh(window, sequence), fresh);
        if (!fresh)
            continue;
        window = window_after(window, sequence);
        seen[sequence] = any = true;
        if (sequence > highest)
            highest = sequence;
    }
    assert_true(highest > 4000);
}

/* A city's points: all are found, strangers are not, and removing half leaves the other half. */
static void a_hundred_thousand_contexts(void **state)
{
    (void)state;
    const uint32_t count = 100000;
    struct oscore *oscore = oscore_create(count, 0);
    for (uint32_t i = 0; i < count; i++) {
        struct point p = point_of(i, POINT_OSCORE_AES_CCM);
        assert_int_equal(oscore_put(oscore, &p), OSCORE_ADDED);
    }
    for (unsigned round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 2 * count; i++) {
            struct bytes kid = {(const uint8_t *)&i, 4}, none = {NULL, 0};
            uint32_t slot = context_find(oscore, context_hint(oscore, kid, none), kid, none);
            bool expected = i < count && (round == 0 || i % 2);
            if ((slot != CONTEXT_NONE) != expected || (expected && oscore->contexts[slot].point != i))
                fail_msg("round %u, point %u", round, i);
        }
        for (uint32_t i = 0; round == 0 && i < count; i += 2) {
            assert_int_equal(oscore_remove(oscore, i), OSCORE_ADDED);
            oscore_reclaim(oscore);
        }
    }
    oscore_destroy(oscore);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_comes_out_as_it_went_in, begin, end),
        cmocka_unit_test_setup_teardown(a_context_asks_for_freshness_before_its_first_request, begin, end),
        cmocka_unit_test_setup_teardown(each_number_is_taken_once_on_whichever_worker, begin, end),
        cmocka_unit_test_setup_teardown(two_copies_in_one_burst_have_one_winner, begin, end),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_context_that_went_is_not_found_and_answers_nothing, begin, end),
        cmocka_unit_test_setup_teardown(a_context_that_comes_back_repeats_nothing, begin, end),
        cmocka_unit_test_setup_teardown(a_rotated_secret_replaces_the_old_one, begin, end),
        cmocka_unit_test(each_option_is_read_or_not),
        cmocka_unit_test(the_window_agrees_with_a_plain_set),
        cmocka_unit_test(a_hundred_thousand_contexts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
