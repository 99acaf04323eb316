#include "tests/load/pool_make.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dataplane/coap.h"
#include "keys/base45.h"
#include "tests/load/link.h"
#include "tests/load/random.h"

#define MAKERS_MAX 64
#define REPLAY_DISTANCE 1000
#define POINT_RATE 1000000
#define ISSUED_BEFORE_S 2

/* Purposes of random numbers: different ones are independent. */
enum { RANDOM_ENTRY = 'E', RANDOM_STATE = 'C', RANDOM_SUBJECT = 'U', RANDOM_VENUE = 'V' };

static uint32_t choose(const double shares[], uint32_t count, double at)
{
    uint32_t i = 0;
    while (i + 1 < count && at >= shares[i])
        at -= shares[i++];
    while (i > 0 && shares[i] <= 0) /* rounding at the end */
        i--;
    return i;
}

struct subject_place subject_place(const struct profile *profile, uint64_t subject)
{
    uint64_t own = subject / profile->issuer_count;
    return (struct subject_place){.issuer = (uint32_t)(subject % profile->issuer_count),
                                  .shard = (uint32_t)(own / STATUS_LIST_ENTRIES_MAX),
                                  .index = (uint32_t)(own % STATUS_LIST_ENTRIES_MAX)};
}

uint32_t status_shards(const struct profile *profile)
{
    return subject_place(profile, profile->subjects - 1).shard + 1;
}

enum state subject_state(const struct profile *profile, uint64_t seed, uint64_t subject)
{
    struct random random = random_of(seed, RANDOM_STATE, subject);
    return choose(profile->states, STATE_COUNT, random_unit(&random));
}

void subject_pseudonym(uint64_t seed, uint64_t subject, uint8_t out[SUBJECT_SIZE])
{
    struct random random = random_of(seed, RANDOM_SUBJECT, subject);
    random_fill(&random, out, SUBJECT_SIZE);
}

/* The number tells two keys of one name apart. */
void status_uri(const struct signer *signer, uint32_t issuer, uint32_t shard, char *out, size_t size)
{
    snprintf(out, size, "https://status.%s.example/%u-%u", signer->issuers[issuer].name, issuer, shard);
}

void status_bits(const struct profile *profile, uint64_t seed, uint32_t issuer, uint32_t shard, uint8_t *bits)
{
    static const uint8_t values[STATE_COUNT] = {STATUS_VALID, STATUS_SUSPENDED, STATUS_APPLICATION, STATUS_INVALID};
    memset(bits, 0, STATUS_LIST_BYTES_MAX);
    for (uint64_t i = 0; i < STATUS_LIST_ENTRIES_MAX; i++) {
        uint64_t subject = ((uint64_t)shard * STATUS_LIST_ENTRIES_MAX + i) * profile->issuer_count + issuer;
        if (subject >= profile->subjects)
            break;
        bits[i >> 2] |= (uint8_t)(values[subject_state(profile, seed, subject)] << (i & 3) * 2);
    }
}

uint32_t point_venue(const struct profile *profile, uint64_t seed, uint32_t point)
{
    double at = 0;
    struct random random = random_of(seed, RANDOM_VENUE, point);
    at = random_unit(&random);
    for (uint32_t i = 0; i + 1 < profile->venue_count; i++) {
        if (at < profile->venues[i].share)
            return i;
        at -= profile->venues[i].share;
    }
    return profile->venue_count - 1;
}

struct point pool_point(const struct profile *profile, uint64_t seed, uint32_t first_address, uint32_t point)
{
    uint32_t address = first_address + point;
    struct point out = {.id = point + 1, .address_family = 4, .rate_per_s = POINT_RATE, .burst = POINT_RATE};
    out.address[0] = (uint8_t)(address >> 24);
    out.address[1] = (uint8_t)(address >> 16);
    out.address[2] = (uint8_t)(address >> 8);
    out.address[3] = (uint8_t)address;
    snprintf(out.venue, sizeof out.venue, "V%07u", point + 1);
    snprintf(out.venue_class, sizeof out.venue_class, "%s", profile->venues[point_venue(profile, seed, point)].class);
    return out;
}

/* What one thread makes. */
struct maker {
    const struct profile *profile;
    const struct signer *signer;
    const struct zipf *zipf;
    struct pool *pool;
    uint64_t seed, now_s, from, to;
    uint8_t *room; /* its messages, one after the other */
    uint64_t used, size;
};

/* What the random numbers of an entry say; the same whoever asks. */
struct draw {
    struct random rest;
    enum request_kind kind;
    enum credential_class class;
    enum state state;
    uint64_t subject;
    uint32_t point;
};

static struct draw draw_entry(const struct maker *maker, uint64_t number)
{
    const struct profile *profile = maker->profile;
    struct random random = random_of(maker->seed, RANDOM_ENTRY, number);
    struct draw draw;
    draw.kind = choose(profile->kinds, KIND_COUNT, random_unit(&random));
    draw.class = choose(profile->classes, CLASS_COUNT, random_unit(&random));
    draw.state = choose(profile->states, STATE_COUNT, random_unit(&random));
    do
        draw.subject = random_below(&random, profile->subjects);
    while (subject_state(profile, maker->seed, draw.subject) != draw.state);
    draw.point = (uint32_t)zipf_draw(maker->zipf, &random);
    draw.rest = random;
    return draw;
}

/* The credential of an entry; `damage` is what is done to it. */
static size_t make_credential(const struct maker *maker, uint64_t number, struct draw *draw, enum request_kind damage,
                              uint8_t *room, size_t size)
{
    uint8_t subject[SUBJECT_SIZE], cti[CTI_SIZE], delegate[8];
    char uri[CREDENTIAL_URI_MAX];
    struct subject_place place = subject_place(maker->profile, draw->subject);
    const struct sign_issuer *issuer = &maker->signer->issuers[place.issuer];
    bool cti_wanted = draw->class == CLASS_DYNAMIC || draw->class == CLASS_DELEGATED;
    uint64_t life_s = credential_life_max_s(draw->class),
             age_s = damage == KIND_EXPIRED ? life_s + 3600 : ISSUED_BEFORE_S;
    struct random random = random_of(maker->seed ^ maker->now_s, 'T', number);
    random_fill(&random, cti, sizeof cti);
    random_fill(&random, delegate, sizeof delegate);
    subject_pseudonym(maker->seed, draw->subject, subject);
    status_uri(maker->signer, place.issuer, place.shard, uri, sizeof uri);
    struct credential claims = {
        .issuer = bytes_of_text(issuer->name),
        .subject = subject,
        .iat_s = maker->now_s - age_s,
        .exp_s = maker->now_s - age_s + life_s,
        .cti = cti_wanted ? cti : NULL,
        .status_uri = bytes_of_text(uri),
        .status_index = place.index,
        .class = draw->class,
        .region = issuer->region,
        .has_region = issuer->region != 0,
        .colour = draw->class != CLASS_DYNAMIC   ? COLOUR_UNKNOWN
                  : draw->state == STATE_REVOKED ? COLOUR_GREEN
                                                 : (enum colour)draw->state,
        .delegate = draw->class == CLASS_DELEGATED ? delegate : NULL,
    };
    size_t length = signer_sign(maker->signer, place.issuer, number ^ maker->now_s, &claims, room, size);
    if (damage == KIND_FORGED && length > COSE_SIGNATURE_SIZE)
        room[length - COSE_SIGNATURE_SIZE + random_below(&random, 32)] ^= (uint8_t)(1 << random_below(&random, 8));
    if (damage == KIND_GARBAGE)
        random_fill(&random, room, (uint32_t)length);
    if (damage == KIND_GARBAGE && length)
        room[0] = 0xff; /* no CBOR begins so, whatever follows */
    return length;
}

/* An unknown key's credential is another issuer's: its kid is of a key that no target has. */
static size_t make_unknown(const struct maker *maker, uint64_t number, struct draw *draw, uint8_t *room, size_t size)
{
    size_t length = make_credential(maker, number, draw, KIND_UNKNOWN_KEY, room, size);
    struct subject_place place = subject_place(maker->profile, draw->subject);
    uint8_t *kid = memmem(room, length, maker->signer->issuers[place.issuer].kid, COSE_KID_SIZE);
    struct random random = random_of(maker->seed, 'X', number);
    if (kid)
        random_fill(&random, kid, COSE_KID_SIZE);
    return length;
}

static size_t write_message(const struct maker *maker, const struct draw *draw, struct bytes credential, bool text,
                            bool confirmable, uint8_t *room, size_t size)
{
    static const uint8_t token[TOKEN_SIZE];
    const struct profile_venue *venue = &maker->profile->venues[point_venue(maker->profile, maker->seed, draw->point)];
    uint8_t payload[LINK_MESSAGE_MAX];
    struct cbor_writer map = cbor_write(payload, sizeof payload);
    cbor_put_map(&map, 2u + (venue->evidence_length > 0));
    cbor_put_uint(&map, 1);
    cbor_put_uint(&map, message_request_id(0));
    cbor_put_uint(&map, 2);
    if (draw->kind == KIND_MALFORMED)
        cbor_put_bool(&map, true);
    else if (text)
        cbor_put_text(&map, credential);
    else
        cbor_put_bytes(&map, credential);
    if (venue->evidence_length) {
        cbor_put_uint(&map, 4);
        cbor_put_item(&map, (struct bytes){venue->evidence, venue->evidence_length});
    }
    struct coap_writer out =
        coap_write(room, size, confirmable ? COAP_CON : COAP_NON, COAP_POST, 0, (struct bytes){token, sizeof token});
    coap_put_option(&out, COAP_OPTION_URI_PATH, bytes_of_text("v"));
    coap_put_option_uint(&out, COAP_OPTION_CONTENT_FORMAT, COAP_FORMAT_CBOR);
    coap_put_payload(&out, cbor_written(&map));
    return coap_written(&out);
}

static size_t make_message(const struct maker *maker, uint64_t number, struct draw *draw, uint8_t *room, size_t size)
{
    uint8_t cose[CREDENTIAL_SIZE_MAX];
    char text[4 + BASE45_ENCODED_SIZE(CREDENTIAL_SIZE_MAX)] = BASE45_PREFIX;
    size_t length;
    if (draw->kind == KIND_UNKNOWN_KEY)
        length = make_unknown(maker, number, draw, cose, sizeof cose);
    else
        length = make_credential(maker, number, draw, draw->kind, cose, sizeof cose);
    struct bytes credential = {cose, length};
    bool as_text = random_unit(&draw->rest) < maker->profile->text_share;
    bool confirmable = random_unit(&draw->rest) < maker->profile->confirmable;
    if (as_text && draw->kind != KIND_GARBAGE)
        credential = (struct bytes){(const uint8_t *)text, 4 + base45_encode(credential, text + 4, sizeof text - 4)};
    return write_message(maker, draw, credential, as_text && draw->kind != KIND_GARBAGE, confirmable, room, size);
}

static bool make_entry(struct maker *maker, uint64_t number)
{
    enum { ID_AT = 4 + TOKEN_SIZE + 2 + 2 + 1 + 1 + 1 + 1 };
    struct draw draw = draw_entry(maker, number);
    uint64_t credential_of = number;
    if (draw.kind == KIND_REPLAYED) {
        uint64_t before = number >= REPLAY_DISTANCE ? number - REPLAY_DISTANCE : number;
        struct draw first = draw_entry(maker, before);
        if (first.kind == KIND_VALID) {
            uint32_t point = draw.point;
            draw = first;
            draw.point = point;
            draw.kind = KIND_REPLAYED;
            credential_of = before;
        } else {
            draw.kind = KIND_VALID;
        }
    }
    uint8_t *message = maker->room + maker->used;
    size_t length = make_message(maker, credential_of, &draw, message, maker->size - maker->used);
    struct pool_entry *entry = &maker->pool->entries[number];
    *entry = (struct pool_entry){.offset = maker->used,
                                 .point = draw.point,
                                 .length = (uint16_t)length,
                                 .id_at = ID_AT,
                                 .kind = (uint8_t)draw.kind,
                                 .token_free = true};
    if (length == 0 || !profile_expectation(maker->profile, point_venue(maker->profile, maker->seed, draw.point),
                                            draw.class, draw.state, draw.kind, &entry->expected))
        return false;
    memset(message + ID_AT, 0, 4);
    entry->sum = link_fold(link_sum(message, length));
    maker->used += (length + 7) & ~(uint64_t)7;
    return true;
}

static void *make(void *argument)
{
    struct maker *maker = argument;
    for (uint64_t number = maker->from; number < maker->to; number++) {
        if (maker->size - maker->used < LINK_MESSAGE_MAX) {
            maker->size += maker->size / 2 + (1 << 20);
            uint8_t *more = realloc(maker->room, maker->size);
            if (!more)
                return NULL;
            maker->room = more;
        }
        if (!make_entry(maker, number))
            return NULL;
    }
    return maker;
}

/* Puts the threads' messages one behind the other. */
static bool join(struct pool *pool, struct maker makers[], unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        pool->messages_size += makers[i].used;
    pool->messages = malloc(pool->messages_size);
    uint64_t base = 0;
    for (unsigned i = 0; i < count && pool->messages; i++) {
        memcpy(pool->messages + base, makers[i].room, makers[i].used);
        for (uint64_t number = makers[i].from; number < makers[i].to; number++)
            pool->entries[number].offset += base;
        base += makers[i].used;
    }
    return pool->messages != NULL;
}

bool pool_make(const struct profile *profile, const struct signer *signer, uint64_t seed, uint64_t now_s,
               struct pool *out)
{
    struct maker makers[MAKERS_MAX];
    pthread_t threads[MAKERS_MAX];
    struct zipf zipf;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned count = processors < 1 ? 1 : processors > MAKERS_MAX ? MAKERS_MAX : (unsigned)processors;
    *out = (struct pool){.count = profile->pool, .points = profile->points};
    out->entries = calloc(profile->pool, sizeof *out->entries);
    bool good = out->entries != NULL;
    zipf_start(&zipf, profile->points, profile->zipf);
    unsigned started = 0;
    for (; started < count && good; started++) {
        makers[started] = (struct maker){.profile = profile,
                                         .signer = signer,
                                         .zipf = &zipf,
                                         .pool = out,
                                         .seed = seed,
                                         .now_s = now_s,
                                         .from = profile->pool * started / count,
                                         .to = profile->pool * (started + 1) / count};
        if (pthread_create(&threads[started], NULL, make, &makers[started]) != 0)
            good = false;
        if (!good)
            break;
    }
    for (unsigned i = 0; i < started; i++) {
        void *done = NULL;
        pthread_join(threads[i], &done);
        good = good && done;
    }
    good = good && join(out, makers, started);
    for (unsigned i = 0; i < started; i++)
        free(makers[i].room);
    if (!good)
        pool_free(out);
    return good;
}
