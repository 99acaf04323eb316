/* Unprotect against a slow reference. The input is a script of datagrams to one appliance with two points (one an
 * algorithm), both synchronised: each is either raw CoAP, or a plaintext that is sealed for a point under a small
 * sequence number and then bent in one byte or not. The reference, which knows nothing of windows but a plain set of
 * numbers, says what must come out. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/oscore.h"
#include "tests/reference/oscore_reference.h"

#define ROOM 600
#define MESSAGES_MAX 16
#define SEQUENCES 256

static struct point points[2];
static struct oscore *oscore;
static struct oscore_worker *worker;
static bool seen[2][SEQUENCES];
static uint64_t highest[2];

static struct oscore_request unprotect(const struct coap_message *outer)
{
    struct oscore_request r = {.outer = outer}, *requests[] = {&r};
    oscore_unprotect_burst(worker, requests, 1);
    return r;
}

static size_t wrap(uint8_t *wire, const struct point *p, uint64_t sequence, struct bytes plain)
{
    uint8_t option[32], sealed[ROOM];
    size_t option_size, size = reference_seal_request(&p->oscore, sequence, plain, option, &option_size, sealed);
    struct coap_writer out = coap_write(wire, ROOM, COAP_CON, COAP_POST, 1, bytes_of_text("token"));
    coap_put_option(&out, COAP_OPTION_OSCORE, (struct bytes){option, option_size});
    coap_put_payload(&out, (struct bytes){sealed, size});
    return coap_written(&out);
}

/* Both points meet their challenge with number 0. */
static void begin(void)
{
    oscore = oscore_create(4, 1);
    worker = oscore_worker_create(oscore, NULL);
    assert(oscore && worker);
    for (uint8_t i = 0; i < 2; i++) {
        points[i] = (struct point){.id = i,
                                   .oscore = {.alg = i ? POINT_OSCORE_CHACHA20 : POINT_OSCORE_AES_CCM,
                                              .master_secret = {i, 1},
                                              .master_secret_size = 16,
                                              .point_id = {i, 7},
                                              .point_id_size = 2,
                                              .appliance_id = {0xaa},
                                              .appliance_id_size = 1,
                                              .id_context = {i},
                                              .id_context_size = i}};
        enum oscore_change change = oscore_put(oscore, &points[i]);
        assert(change == OSCORE_ADDED);
        uint8_t plain[32] = {COAP_POST}, wire[ROOM];
        struct coap_message outer;
        coap_parse((struct bytes){wire, wrap(wire, &points[i], 0, (struct bytes){plain, 1})}, &outer);
        struct oscore_request r = unprotect(&outer);
        assert(r.reason == REASON_OSCORE_ECHO);
        struct coap_writer inner = coap_write_options(plain + 1, sizeof plain - 1);
        coap_put_option(&inner, COAP_OPTION_ECHO, (struct bytes){r.echo, OSCORE_ECHO_SIZE});
        coap_parse((struct bytes){wire, wrap(wire, &points[i], 0, (struct bytes){plain, 1 + coap_written(&inner)})},
                   &outer);
        r = unprotect(&outer);
        assert(r.reason == REASON_NONE);
        memset(seen[i], 0, sizeof seen[i]);
        seen[i][0] = true;
        highest[i] = 0;
    }
}

/* The point that the option names, or -1; and its Partial IV. */
static int addressee(const struct coap_message *outer, struct bytes *piv)
{
    const struct coap_option *option = coap_find(outer, COAP_OPTION_OSCORE);
    struct oscore_option fields;
    if (!option || !oscore_option_read(option->value, &fields) || fields.piv.length == 0 || !fields.has_kid)
        return -1;
    *piv = fields.piv;
    for (int i = 0; i < 2; i++)
        if (bytes_equal(fields.kid, (struct bytes){points[i].oscore.point_id, 2}) &&
            bytes_equal(fields.kid_context,
                        (struct bytes){points[i].oscore.id_context, points[i].oscore.id_context_size}))
            return i;
    return -1;
}

/* What the stage makes of a datagram, and whether the reference agrees. */
static void deliver(uint8_t *wire, size_t size)
{
    struct coap_message outer;
    uint8_t plain[ROOM];
    struct bytes piv = {NULL, 0};
    if (coap_parse((struct bytes){wire, size}, &outer) != COAP_OK || !coap_find(&outer, COAP_OPTION_OSCORE))
        return;
    int point = addressee(&outer, &piv);
    uint64_t sequence = oscore_piv_read(piv);
    size_t opened = point >= 0 && outer.payload.length < ROOM
                        ? reference_open_request(&points[point].oscore, piv, outer.payload, plain)
                        : 0;
    bool fresh = opened && !seen[point][sequence] && sequence + 32 > highest[point];
    struct oscore_request r = unprotect(&outer);
    assert(r.is_protected == fresh);
    if (!fresh) {
        assert(r.reason == REASON_OSCORE_FORM || r.reason == REASON_OSCORE_CONTEXT ||
               r.reason == REASON_OSCORE_PROTECTION || r.reason == REASON_OSCORE_REPLAY);
        assert(!opened || r.reason == REASON_OSCORE_REPLAY);
        return;
    }
    seen[point][sequence] = true;
    highest[point] = sequence > highest[point] ? sequence : highest[point];
    assert(r.reason == REASON_NONE || r.reason == REASON_COAP_FORMAT);
    assert(r.point == (uint32_t)point && r.inner.code == plain[0]);
    if (r.reason != REASON_NONE)
        return;
    struct coap_message expected;
    enum coap_error error = coap_parse_options((struct bytes){plain + 1, opened - 1}, &expected);
    assert(error == COAP_OK);
    assert(expected.option_count == r.inner.option_count && bytes_equal(expected.payload, r.inner.payload));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    begin();
    for (unsigned message = 0; message < MESSAGES_MAX && size >= 4; message++) {
        uint8_t wire[ROOM], kind = data[0], sequence = data[1], bend = data[2];
        size_t length = data[3];
        data += 4;
        size -= 4;
        length = length < size ? length : size;
        if (kind & 1) {
            memcpy(wire, data, length);
            deliver(wire, length);
        } else if (length > 0) {
            size_t wrapped = wrap(wire, &points[kind >> 1 & 1], sequence, (struct bytes){data, length});
            if (bend)
                wire[(size_t)sequence * bend % wrapped] ^= bend;
            deliver(wire, wrapped);
        }
        data += length;
        size -= length;
    }
    oscore_worker_destroy(worker);
    oscore_destroy(oscore);
    return 0;
}
