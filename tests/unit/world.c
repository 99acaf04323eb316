#include "tests/unit/world.h"

#include <sodium.h>
#include <stdlib.h>

#include "keys/cbor.h"
#include "tests/simulator/clock_sim.h"
#include "tests/unit/frames.h"

const uint8_t world_kid[COSE_KID_SIZE] = "sh-cred1", world_list_kid[COSE_KID_SIZE] = "sh-list1";

static void publish(struct world *w)
{
    static const _Atomic bool incomplete = false;
    struct store_view subjects = {.overlay = w->overlay, .incomplete = &incomplete};
    struct generation *next = generation_build(w->builder, &subjects);
    assert(next);
    publisher_swap(w->publisher, next);
}

void world_apply(struct world *w, enum log_type type, struct bytes payload)
{
    char error[256];
    struct log_record record = {.type = type, .sequence = ++w->sequence, .payload = payload};
    bool applied = generation_apply(w->builder, &record, error, sizeof error);
    assert(applied);
    if (type == LOG_SUBJECT)
        overlay_put(w->overlay, (const struct subject_record *)(const void *)payload.data, record.sequence);
    publish(w);
}

void world_apply_bad(struct world *w, enum log_type type, struct bytes payload)
{
    char error[256];
    struct log_record record = {.type = type, .sequence = ++w->sequence, .payload = payload};
    bool applied = generation_apply(w->builder, &record, error, sizeof error);
    assert(!applied);
    publish(w);
}

void world_put_key(struct world *w, const struct issuer_key *key)
{
    uint8_t room[ISSUER_KEY_ENCODED_MAX];
    world_apply(w, LOG_KEY, (struct bytes){room, issuer_key_encode(key, room, sizeof room)});
}

void world_put_point(struct world *w, const struct point *point)
{
    uint8_t room[POINT_ENCODED_MAX];
    world_apply(w, LOG_POINT, (struct bytes){room, point_encode(point, room, sizeof room)});
}

struct issuer_key world_key(const struct world *w)
{
    struct issuer_key key = {.issuer = "CN-310000",
                             .use = KEY_USE_CREDENTIAL,
                             .not_before_s = WORLD_NOW_S - 1000,
                             .not_after_s = WORLD_NOW_S + 1000,
                             .classes = 31,
                             .region_count = 1,
                             .regions = {310000}};
    memcpy(key.kid, world_kid, COSE_KID_SIZE);
    memcpy(key.public_key, w->secret_key + 32, 32);
    return key;
}

struct point world_point(void)
{
    struct point point = {.id = 11, .venue = "Ruijin Hospital", .venue_class = "hospital", .address_family = 4};
    memcpy(point.address, frame_peer_ip4, 4);
    return point;
}

static void add_address(struct config *config, unsigned family, const void *address, uint16_t vlan)
{
    struct config_address *own = &config->addresses[config->address_count++];
    own->prefix.family = (uint8_t)family;
    own->vlan = vlan;
    memcpy(own->prefix.address, address, family == 4 ? 4 : 16);
}

static void make_config(struct config *config)
{
    config_defaults(config);
    config->port_count = 1;
    config->address_count = 0;
    add_address(config, 4, frame_our_ip4, 0);
    add_address(config, 6, frame_our_ip6, 0);
    add_address(config, 4, frame_our_ip4, 7);
    config->trusted_count = 2;
    config->trusted[0] = (struct config_prefix){.family = 4, .length = 20, .address = {10, 77, 0, 0}};
    config->trusted[1] = (struct config_prefix){.family = 6, .length = 8, .address = {0xfd}};
}

void world_start(struct world *w)
{
    uint8_t public_key[32];
    char error[128];
    static const uint8_t hash_key[SUBJECT_HASH_KEY_SIZE] = "subject hash key";
    memset(w, 0, sizeof *w);
    clock_sim_set(WORLD_NOW_S, 1000000000);
    bool started = ed25519_start(ED25519_AUTO, error, sizeof error);
    assert(started);
    crypto_sign_seed_keypair(public_key, w->secret_key, (const uint8_t *)"seed of Shanghai's issuer key ..");
    crypto_sign_seed_keypair(public_key, w->other_secret_key, (const uint8_t *)"seed of a key that nobody knows.");
    make_config(&w->config);
    w->port = port_sim_new(frame_our_mac);
    w->publisher = publisher_new(1);
    w->overlay = overlay_create(1000);
    w->builder = generation_builder_new(hash_key);
    w->worker = malloc(sizeof *w->worker);
    struct lookup *lookup = NULL;
    w->backlog = backlog_new(1);
    w->admit = admit_create(&(struct admit_options){.points_max = 16,
                                                    .failure = {.per_s = 5, .burst = 5},
                                                    .failure_all = {.per_s = 50, .burst = 50},
                                                    .failures_max = 64});
    int opened = lookup_open(8, &lookup);
    assert(opened == 0);
    assert(w->worker && w->builder && w->admit);
    worker_init(w->worker, &(struct worker_terms){.config = &w->config,
                                                  .ports = &w->port,
                                                  .publisher = w->publisher,
                                                  .answers = answers_new(64, 1),
                                                  .admit = w->admit,
                                                  .lookup = lookup,
                                                  .park = park_new(2000000),
                                                  .backlogs = &w->backlog});
    bool ring = worker_start_thread(w->worker);
    assert(ring);
    struct issuer_key key = world_key(w);
    world_put_key(w, &key);
    memcpy(key.kid, world_list_kid, COSE_KID_SIZE);
    key.use = KEY_USE_STATUS_LIST;
    world_put_key(w, &key);
    struct point point = world_point();
    world_put_point(w, &point);
    point.id = 12;
    point.address_family = 6;
    memcpy(point.address, frame_peer_ip6, 16);
    world_put_point(w, &point);
}

void world_stop(struct world *w)
{
    assert(port_sim_held(w->port) == 0);
    publisher_free(w->publisher);
    generation_builder_free(w->builder);
    overlay_free(w->overlay);
    answers_free(w->worker->answers);
    lookup_close(w->worker->lookup);
    park_free(w->worker->park);
    backlog_free(w->backlog);
    admit_destroy(w->admit);
    free(w->worker);
    port_sim_delete(w->port);
    ed25519_stop();
}

struct bytes world_exchange(struct world *w, struct bytes frame, uint32_t flags, enum reason *why)
{
    uint64_t before[REASON_LIMIT];
    memcpy(before, w->worker->counters.ended, sizeof before);
    bool injected = port_sim_inject(w->port, frame, flags);
    assert(injected);
    unsigned received = worker_step(w->worker);
    assert(received == 1);
    *why = REASON_NONE;
    for (unsigned i = 0; i < REASON_LIMIT; i++)
        if (w->worker->counters.ended[i] != before[i]) {
            assert(*why == REASON_NONE); /* one frame, one reason */
            *why = (enum reason)i;
        }
    return port_sim_take(w->port);
}

struct credential world_claims(void)
{
    return (struct credential){
        .issuer = bytes_of_text("CN-310000"),
        .subject = (const uint8_t *)"0123456789abcdef",
        .iat_s = WORLD_NOW_S,
        .exp_s = WORLD_NOW_S + 60,
        .cti = (const uint8_t *)"ctictict",
        .class = CLASS_DYNAMIC,
        .region = 310101,
        .has_region = true,
        .colour = COLOUR_GREEN,
    };
}

struct bytes world_sign(const struct credential *claims, const uint8_t kid[COSE_KID_SIZE], const uint8_t secret_key[64],
                        uint8_t *room, size_t size)
{
    uint8_t payload[CREDENTIAL_SIZE_MAX];
    size_t length = credential_claims_write(claims, payload, sizeof payload);
    length = cose_sign((struct bytes){payload, length}, COSE_TYP_CREDENTIAL, kid, secret_key, room, size);
    assert(length > 0);
    return (struct bytes){room, length};
}

struct bytes world_request(uint32_t id, struct bytes code, uint8_t *room, size_t size)
{
    struct cbor_writer out = cbor_write(room, size);
    cbor_put_map(&out, 2);
    cbor_put_uint(&out, 1);
    cbor_put_uint(&out, id);
    cbor_put_uint(&out, 2);
    cbor_put_bytes(&out, code);
    return cbor_written(&out);
}

struct bytes world_post(enum coap_type type, uint16_t message_id, struct bytes payload, uint8_t *room)
{
    uint8_t message[1500];
    struct coap_writer out = coap_write(message, sizeof message, type, COAP_POST, message_id, bytes_of_text("tk"));
    coap_put_option(&out, COAP_OPTION_URI_PATH, bytes_of_text("v"));
    coap_put_option_uint(&out, COAP_OPTION_CONTENT_FORMAT, COAP_FORMAT_CBOR);
    coap_put_payload(&out, payload);
    return (struct bytes){room, frame_udp4(room, message, coap_written(&out))};
}
