/* What waits for a worker: its order, its overload, and who is served then. Time is passed in. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "dataplane/backlog.h"

#define START_NS UINT64_C(1000000000000)
#define MS UINT64_C(1000000)

static struct backlog *backlog;
static uint8_t frames_data[BACKLOG_MAX][64];
static unsigned made;

static int begin(void **state)
{
    (void)state;
    made = 0;
    backlog = backlog_new(12345);
    backlog_emptied(backlog, START_NS);
    return backlog ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    backlog_free(backlog);
    return 0;
}

/* A frame of 20.0.x.x; its number stands in the buffer's place. */
static struct frame frame_from(uint32_t source)
{
    uint8_t *data = frames_data[made];
    memset(data, 0, sizeof frames_data[0]);
    data[12] = 0x08;
    data[14] = 0x45;
    data[26] = 20;
    data[28] = (uint8_t)(source >> 8);
    data[29] = (uint8_t)source;
    return (struct frame){.data = data, .length = sizeof frames_data[0], .buffer = (void *)(uintptr_t)made++};
}

static void put(unsigned count, uint32_t source, uint32_t step)
{
    for (unsigned i = 0; i < count; i++) {
        struct frame frame = frame_from(source + i * step);
        backlog_put(backlog, &frame, 1);
    }
}

static uint32_t source_of(const struct frame *frame)
{
    return (uint32_t)frame->data[28] << 8 | frame->data[29];
}

static unsigned drop_excess(void)
{
    struct frame frames[BURST_MAX];
    unsigned n, dropped = 0;
    while ((n = backlog_take_excess(backlog, frames)) > 0)
        dropped += n;
    return dropped;
}

static void a_pause_is_worked_off_in_its_order(void **state)
{
    (void)state;
    struct frame frames[BURST_MAX];
    uint64_t since_ns[BURST_MAX];
    uintptr_t next = 0;
    put(300, 1, 1);
    backlog_emptied(backlog, START_NS + 5 * MS);
    for (unsigned n; (n = backlog_take(backlog, START_NS + 5 * MS, frames, since_ns)) > 0;) {
        assert_false(backlog_is_overload(backlog));
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal((uintptr_t)frames[i].buffer, next++);
            assert_int_equal(since_ns[i], START_NS); /* the queue was emptied then, and they came later */
        }
        assert_int_equal(drop_excess(), 0);
    }
    assert_int_equal(next, 300);
    assert_int_equal(backlog_count(backlog), 0);
}

static void a_backlog_that_stands_is_overload_and_one_that_went_is_not(void **state)
{
    (void)state;
    struct frame frames[BURST_MAX];
    uint64_t since_ns[BURST_MAX], now_ns = START_NS;
    bool overload = false;
    for (unsigned turn = 0; turn < 25; turn++, now_ns += MS) {
        put(turn ? BURST_MAX : 4 * BURST_MAX, 1, 1);
        made %= BACKLOG_MAX / 2;
        backlog_emptied(backlog, now_ns);
        backlog_take(backlog, now_ns, frames, since_ns);
        overload = backlog_is_overload(backlog);
        assert_int_equal(overload, now_ns - START_NS >= BACKLOG_STANDING_NS);
        drop_excess();
        if (overload)
            break;
    }
    assert_true(overload);
    put(10, 1, 1);
    assert_int_equal(backlog_take(backlog, now_ns, frames, since_ns), 10);
    assert_false(backlog_is_overload(backlog));
}

/* Points behind a router send nothing any more once the router has forgotten our address. */
static void neighbours_are_answered_in_a_flood(void **state)
{
    (void)state;
    struct frame frames[BURST_MAX];
    uint64_t since_ns[BURST_MAX], now_ns = START_NS;
    bool overload = false;
    for (unsigned turn = 0; turn < 40; turn++, now_ns += MS) {
        made = 0;
        struct frame arp = frame_from(0);
        arp.data[13] = 0x06;
        arp.length = 42;
        backlog_put(backlog, &arp, 1);
        put(4 * BURST_MAX, turn * 300, 1);
        backlog_emptied(backlog, now_ns);
        unsigned n = backlog_take(backlog, now_ns, frames, since_ns), answered = 0;
        for (unsigned i = 0; i < n; i++)
            answered += frames[i].data == arp.data;
        drop_excess();
        overload = backlog_is_overload(backlog);
        if (overload)
            assert_true(answered > 0);
    }
    assert_true(overload);
}

static struct endpoint endpoint_of(uint32_t source)
{
    return (struct endpoint){.family = 4, .address = {20, 0, (uint8_t)(source >> 8), (uint8_t)source}};
}

static void know(uint32_t sources)
{
    for (uint32_t i = 0; i < sources; i++) {
        struct endpoint known = endpoint_of(i);
        backlog_know(backlog, &known, 0, START_NS);
    }
}

/* Served of each source by one turn. */
static void serve_turn(unsigned of_source[], unsigned sources, bool overload)
{
    struct frame frames[BURST_MAX];
    uint64_t since_ns[BURST_MAX];
    memset(of_source, 0, sources * sizeof *of_source);
    unsigned all = backlog_count(backlog), n = backlog_take(backlog, START_NS + MS, frames, since_ns);
    assert_int_equal(backlog_is_overload(backlog), overload);
    for (unsigned i = 0; i < n; i++) {
        assert_true(i == 0 || (uintptr_t)frames[i].buffer > (uintptr_t)frames[i - 1].buffer);
        if (source_of(&frames[i]) < sources)
            of_source[source_of(&frames[i])]++;
    }
    assert_int_equal(n, overload ? OVERLOAD_BURST : BURST_MAX);
    assert_int_equal(drop_excess(), all - n);
}

static void serve(unsigned of_source[], unsigned sources)
{
    serve_turn(of_source, sources, true);
}

static void serve_calm(unsigned of_source[], unsigned sources)
{
    serve_turn(of_source, sources, false);
}

static void no_source_takes_anothers_share(void **state)
{
    (void)state;
    unsigned of_source[20];
    know(20);
    put(700, 0, 0); /* one that asks and asks */
    put(19, 1, 1);
    put(700, 0, 0);
    serve(of_source, 20);
    for (unsigned i = 1; i < 20; i++)
        assert_int_equal(of_source[i], 1);
    assert_int_equal(of_source[0], OVERLOAD_BURST - 19);
}

static void the_newest_of_equals_are_served(void **state)
{
    (void)state;
    struct frame frames[BURST_MAX];
    uint64_t since_ns[BURST_MAX];
    know(1200);
    put(1200, 0, 1);
    unsigned n = backlog_take(backlog, START_NS + MS, frames, since_ns);
    for (unsigned i = 0; i < n; i++)
        assert_true((uintptr_t)frames[i].buffer >= 1200 - 2 * OVERLOAD_BURST); /* some hashes are shared */
    drop_excess();
}

static void who_is_known_goes_before_who_is_not_and_is_forgotten(void **state)
{
    (void)state;
    unsigned of_source[30];
    know(30);
    put(30, 0, 1);
    put(1300, 1000, 1); /* newer, each from another */
    serve_calm(of_source, 30);
    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(of_source[i], 1);
    uint64_t later_ns = START_NS + UINT64_C(200) * 1000 * MS;
    struct frame frames[BURST_MAX];
    uint64_t since_ns[BURST_MAX];
    made = 0;
    put(30, 0, 1);
    put(1300, 1000, 1);
    unsigned n = backlog_take(backlog, later_ns, frames, since_ns), known = 0;
    for (unsigned i = 0; i < n; i++)
        known += source_of(&frames[i]) < 30;
    assert_true(known < 3); /* the newest are served now, and those were the first */
    drop_excess();
}

/* Half the room is filled at once, but almost all by nobody known: those alone go, and the others are served in order.
 */
static void a_flood_of_strangers_does_not_cost_those_who_are_known(void **state)
{
    (void)state;
    struct frame frames[BURST_MAX];
    uint64_t since_ns[BURST_MAX];
    unsigned known = 0;
    for (uint32_t i = 0; i < 100; i++) {
        struct endpoint point = endpoint_of(i);
        backlog_know(backlog, &point, i % 4, START_NS);
    }
    for (unsigned i = 0; i < 100; i++) {
        put(1, i, 1);
        put(12, 1000 + 12 * i, 1);
    }
    while (backlog_count(backlog) > 0) {
        unsigned n = backlog_take(backlog, START_NS + MS, frames, since_ns);
        assert_false(backlog_is_overload(backlog));
        for (unsigned i = 0; i < n; i++)
            if (source_of(&frames[i]) < 100)
                assert_int_equal(source_of(&frames[i]), known++);
        drop_excess();
    }
    assert_int_equal(known, 100);
}

static void classes_are_served_in_their_order(void **state)
{
    (void)state;
    unsigned of_source[100];
    for (uint32_t i = 0; i < 100; i++) {
        struct endpoint known = endpoint_of(i);
        backlog_know(backlog, &known, i < 20 ? 0 : 3, START_NS);
    }
    for (unsigned i = 0; i < 12; i++)
        put(100, 0, 1);
    serve(of_source, 100);
    unsigned first = 0;
    for (unsigned i = 0; i < 20; i++)
        first += of_source[i];
    assert_true(first > OVERLOAD_BURST * 8 / 10);
}

#define WITH_A_BACKLOG(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_A_BACKLOG(a_pause_is_worked_off_in_its_order),
        WITH_A_BACKLOG(a_backlog_that_stands_is_overload_and_one_that_went_is_not),
        WITH_A_BACKLOG(no_source_takes_anothers_share),
        WITH_A_BACKLOG(the_newest_of_equals_are_served),
        WITH_A_BACKLOG(who_is_known_goes_before_who_is_not_and_is_forgotten),
        WITH_A_BACKLOG(a_flood_of_strangers_does_not_cost_those_who_are_known),
        WITH_A_BACKLOG(classes_are_served_in_their_order),
        WITH_A_BACKLOG(neighbours_are_answered_in_a_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
