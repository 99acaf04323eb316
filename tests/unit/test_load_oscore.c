/* The generator under OSCORE against the appliance's own end of it (dataplane/oscore.c), and the file of contexts. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/oscore.h"
#include "keys/cbor.h"
#include "tests/load/context.h"
#include "tests/load/generator.h"
#include "tests/load/ticks.h"
#include "tests/unit/load_wire.h"

#define POINTS 4
#define POOL 8
#define SEED 9
#define TARGET 0x0a000001
#define PER_S 20000
#define DURATION_S 0.1
#define REQUESTS 2000

static const uint8_t message[] = {0x48, COAP_POST, 0,    0,    0, 0,    0, 0, 0, 0, 0, 0,    0xb1, 'v',
                                  0x11, 60,        0xff, 0xa2, 1, 0x1a, 0, 0, 0, 0, 2, 0x41, 7};
static struct link line;
static struct pool_entry entries[POOL];
static struct pool pool = {entries, (uint8_t *)(uintptr_t)message, POOL, sizeof message, NULL, POINTS};
static struct contexts contexts;
static struct load_counts counts;
static struct wrong_sample first_wrong;

/* What the far end does with an answer. */
enum harm { HARM_NONE, HARM_BIT, HARM_PLAIN };
struct appliance {
    struct oscore *oscore;
    struct oscore_worker *worker;
    enum harm harm;
    unsigned harm_every, answered, harmed;
};
static struct appliance appliance;

static void start_appliance(uint32_t start)
{
    appliance = (struct appliance){.oscore = oscore_create(16, start)};
    appliance.worker = oscore_worker_create(appliance.oscore, NULL);
    for (uint32_t i = 0; i < POINTS; i++) {
        struct point point = {.id = i + 1};
        context_of_seed(SEED, i, &point.oscore);
        if (i == POINTS - 1)
            point.oscore.alg = POINT_OSCORE_CHACHA20;
        assert_int_equal(oscore_put(appliance.oscore, &point), OSCORE_ADDED);
    }
}

static void stop_appliance(void)
{
    oscore_worker_destroy(appliance.worker);
    oscore_destroy(appliance.oscore);
}

/* The contexts by way of the file, the last of the other algorithm. */
static void read_contexts(void)
{
    char path[] = "/tmp/chengmen-contexts-XXXXXX", sequence[64], error[200];
    FILE *file = fdopen(mkstemp(path), "w");
    for (uint32_t i = POINTS; i-- > 0;) {
        struct point_oscore oscore;
        context_of_seed(SEED, i, &oscore);
        if (i == POINTS - 1)
            oscore.alg = POINT_OSCORE_CHACHA20;
        context_write(&oscore, i + 1, file);
    }
    fclose(file);
    assert_true(contexts_read(path, POINTS, &contexts, error, sizeof error));
    uint64_t first;
    assert_true(contexts_take(&contexts, 100, &first));
    assert_int_equal(first, 0);
    contexts_free(&contexts);
    assert_true(contexts_read(path, POINTS, &contexts, error, sizeof error));
    assert_true(contexts_take(&contexts, 100, &first)); /* what was taken stays so, whoever reads the file */
    assert_int_equal(first, 100);
    assert_false(contexts_take(&contexts, OSCORE_SEQUENCE_LIMIT, &first));
    snprintf(sequence, sizeof sequence, "%s.sequence", path);
    unlink(sequence);
    unlink(path);
    contexts.sequence_path[0] = 0;
    contexts.next = 200;
}

static int set_up(void **state)
{
    (void)state;
    static const uint8_t mac[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
    char error[100];
    for (uint32_t i = 0; i < POOL; i++)
        entries[i] = (struct pool_entry){.point = i % POINTS,
                                         .expected = {COAP_CONTENT, VERDICT_ALLOW, 0, REASON_GREEN, 0},
                                         .length = sizeof message,
                                         .sum = link_fold(link_sum(message, sizeof message)),
                                         .id_at = 20,
                                         .token_free = true};
    wire_reset();
    read_contexts();
    start_appliance(1);
    if (!link_open(&line, mac[0], TARGET, COAP_PORT, 0x0a400000, POINTS, error, sizeof error))
        return -1;
    link_set_target_mac(&line, mac[1]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stop_appliance();
    contexts_free(&contexts);
    wire_reset();
    return 0;
}

static void put16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* Puts the message into the frame that the request came in, on its way back. */
static void turn(struct load_frame *frame, const uint8_t *data, size_t length)
{
    uint8_t *out = frame->data, keep[6], pseudo[4] = {0, 17};
    for (int i = 0; i < 3; i++) {
        static const uint8_t at[3] = {0, 26, 34}, size[3] = {6, 4, 2};
        memcpy(keep, out + at[i], size[i]);
        memmove(out + at[i], out + at[i] + size[i], size[i]);
        memcpy(out + at[i] + size[i], keep, size[i]);
    }
    memcpy(out + LINK_HEADERS_SIZE, data, length);
    put16(out + 16, 28 + length);
    put16(out + 38, 8 + length);
    put16(pseudo + 2, 8 + length);
    memset(out + 24, 0, 2);
    memset(out + 40, 0, 2);
    uint16_t sum = (uint16_t)~link_fold(link_sum(out + 14, 20));
    memcpy(out + 24, &sum, 2);
    sum = (uint16_t)~link_fold(link_sum(pseudo, 4) + link_sum(out + 26, 8) + link_sum(out + 34, 8 + length));
    memcpy(out + 40, &sum, 2);
    frame->length = (uint16_t)(LINK_HEADERS_SIZE + length);
}

/* Code, options and payload of the answer to an unprotected request. */
static size_t write_plaintext(const struct oscore_request *request, uint8_t *out)
{
    if (request->reason == REASON_OSCORE_ECHO) {
        struct coap_writer options = coap_write_options(out + 1, 40);
        coap_put_option(&options, COAP_OPTION_ECHO, (struct bytes){request->echo, OSCORE_ECHO_SIZE});
        out[0] = COAP_UNAUTHORIZED;
        return 1 + coap_written(&options);
    }
    assert_int_equal(request->reason, REASON_NONE);
    assert_int_equal(request->inner.code, COAP_POST);
    assert_non_null(coap_find(&request->inner, COAP_OPTION_URI_PATH));
    struct cbor_reader in = cbor_read(request->inner.payload);
    assert_int_equal(cbor_take_map(&in, 8), 2);
    assert_int_equal(cbor_take_uint(&in), 1);
    uint8_t head[] = {COAP_CONTENT, 0xc1, COAP_FORMAT_CBOR, 0xff};
    memcpy(out, head, sizeof head);
    struct cbor_writer map = cbor_write(out + sizeof head, 40);
    cbor_put_map(&map, 4);
    cbor_put_uint(&map, 1);
    cbor_put_uint(&map, cbor_take_uint(&in));
    cbor_put_uint(&map, 2);
    cbor_put_uint(&map, VERDICT_ALLOW);
    cbor_put_uint(&map, 3);
    cbor_put_uint(&map, 0);
    cbor_put_uint(&map, 4);
    cbor_put_uint(&map, REASON_GREEN);
    return sizeof head + cbor_written(&map).length;
}

static void serve(struct load_frame *frame)
{
    struct coap_message outer;
    assert_int_equal(
        coap_parse((struct bytes){frame->data + LINK_HEADERS_SIZE, frame->length - LINK_HEADERS_SIZE}, &outer),
        COAP_OK);
    struct oscore_request request = {.outer = &outer}, *one = &request;
    oscore_unprotect_burst(appliance.worker, &one, 1);
    uint8_t plaintext[200], out[300];
    struct bytes token = {outer.token, outer.token_length};
    if (!request.is_protected) { /* a replay, most likely: 4.01, plain */
        struct coap_writer plain = coap_write(out, sizeof out, COAP_ACK, COAP_UNAUTHORIZED, outer.id, token);
        turn(frame, out, coap_written(&plain));
        return;
    }
    request.response = plaintext;
    request.response_size = (uint16_t)write_plaintext(&request, plaintext);
    bool harm =
        request.reason == REASON_NONE && appliance.harm_every && ++appliance.answered % appliance.harm_every == 0;
    appliance.harmed += harm;
    struct coap_writer writer = coap_write(
        out, sizeof out, COAP_ACK, harm && appliance.harm == HARM_PLAIN ? COAP_CONTENT : COAP_CHANGED, outer.id, token);
    if (harm && appliance.harm == HARM_PLAIN) {
        coap_put_option_uint(&writer, COAP_OPTION_CONTENT_FORMAT, COAP_FORMAT_CBOR);
        coap_put_payload(&writer, (struct bytes){plaintext + 4, request.response_size - 4u});
    } else {
        oscore_protect_burst(appliance.worker, &one, 1);
        assert_true(request.response_size > 0);
        coap_put_option(&writer, COAP_OPTION_OSCORE, (struct bytes){request.option, request.option_size});
        plaintext[5] ^= harm;
        coap_put_payload(&writer, (struct bytes){plaintext, request.response_size});
    }
    turn(frame, out, coap_written(&writer));
}

static void meet(void)
{
    char error[200];
    struct generator_config config = {.port = &wire_ends[0],
                                      .link = &line,
                                      .pool = &pool,
                                      .rate = {{{PER_S, PER_S, DURATION_S}}, 1},
                                      .shares = 1,
                                      .timeout_ns = 400000000,
                                      .contexts = &contexts};
    assert_true(contexts_take(&contexts, generator_sequences(&config), &config.first_sequence));
    struct generator *generator = generator_open(&config, error, sizeof error);
    assert_non_null(generator);
    generator_start(generator, ticks_now());
    while (generator_step(generator)) {
        struct load_frame frame;
        while (load_port_receive(&wire_ends[1], 0, &frame, 1) == 1) {
            serve(&frame);
            load_port_send(&wire_ends[1], 0, &frame, 1);
        }
    }
    const struct wrong_sample *samples;
    generator_counts(generator, &counts);
    if (generator_samples(generator, &samples))
        first_wrong = samples[0];
    generator_close(generator);
}

static void every_request_is_protected_and_every_answer_opened(void **state)
{
    (void)state;
    meet();
    assert_int_equal(counts.right, REQUESTS);
    assert_in_range(counts.challenged, POINTS, REQUESTS); /* the appliance had just started */
    meet();
    assert_int_equal(counts.right, REQUESTS);
    assert_int_equal(counts.challenged, 0);
}

static void a_restart_is_met_with_an_echo(void **state)
{
    (void)state;
    meet();
    stop_appliance();
    start_appliance(2);
    meet();
    assert_int_equal(counts.right, REQUESTS);
    assert_in_range(counts.challenged, POINTS, REQUESTS);
}

static void an_answer_that_was_touched_is_wrong(void **state)
{
    (void)state;
    appliance.harm = HARM_BIT;
    appliance.harm_every = 10;
    meet();
    assert_true(appliance.harmed > 100);
    assert_int_equal(counts.wrong[WRONG_PROTECTION], appliance.harmed);
    assert_int_equal(counts.right, REQUESTS - appliance.harmed);
}

static void a_plain_answer_to_a_protected_request_is_wrong(void **state)
{
    (void)state;
    appliance.harm = HARM_PLAIN;
    appliance.harm_every = 10;
    meet();
    assert_true(appliance.harmed > 100);
    assert_int_equal(counts.wrong[WRONG_PROTECTION], appliance.harmed);
    assert_int_equal(counts.right, REQUESTS - appliance.harmed);
}

static void a_number_that_comes_back_is_found_out(void **state)
{
    (void)state;
    meet();
    contexts.next = 200; /* as if the file had been lost */
    meet();
    assert_int_equal(counts.wrong[WRONG_PROTECTION], REQUESTS);
    assert_int_equal(first_wrong.code, COAP_UNAUTHORIZED);
}

static void refused(const char *text, const char *said)
{
    char path[] = "/tmp/chengmen-contexts-XXXXXX", error[700];
    struct contexts out;
    FILE *file = fdopen(mkstemp(path), "w");
    fputs(text, file);
    fclose(file);
    bool read = contexts_read(path, 2, &out, error, sizeof error);
    unlink(path);
    assert_false(read);
    assert_null(out.list);
    if (!strstr(error, said))
        fail_msg("'%s' says '%s', not '%s'", text, error, said);
}

static void a_file_of_contexts_is_read_strictly(void **state)
{
#define ONE(number) "{\"point\": " #number ", \"alg\": 10, \"master_secret\": \"00112233445566778899aabbccddeeff\", "
#define IDS "\"sender_id\": \"01\", \"recipient_id\": \"ca\"}"
    (void)state;
    refused("", "no context of point 1");
    refused(ONE(1) IDS, "no context of point 2");
    refused(ONE(1) IDS "\n" ONE(1) IDS, "context 2: its point has one already");
    refused(ONE(1) IDS " x", "context 2: no JSON");
    refused(ONE(0) IDS, "/point");
    refused(ONE(1) "\"sender_id\": \"01\", \"recipient_id\": \"01\"}", "no keys");
    refused(ONE(1) "\"sender_id\": \"0g\", \"recipient_id\": \"ca\"}", "/sender_id");
    refused(ONE(1) "\"key\": 1, " IDS, "/key");
    refused("{\"point\": 1, \"alg\": 1, \"master_secret\": \"00\", " IDS, "/alg");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_request_is_protected_and_every_answer_opened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restart_is_met_with_an_echo, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_that_was_touched_is_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_plain_answer_to_a_protected_request_is_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_number_that_comes_back_is_found_out, set_up, tear_down),
        cmocka_unit_test(a_file_of_contexts_is_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
