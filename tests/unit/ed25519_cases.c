#include "tests/unit/ed25519_cases.h"

#include <assert.h>
#include <sodium.h>

#define PLAIN_KEYS 16
#define MIXED_KEYS 24
#define RANDOM_KEYS 32
#define NONCES 64
#define SMALL_ORDER_POINTS 8

/* L, little-endian. */
static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                  0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};

/* A point of order eight; its multiples are all points of small order. */
static const uint8_t order_8[32] = {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
                                    0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
                                    0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05};

/* R = scalar * B + small[i], for every i. */
static struct {
    uint8_t scalar[32];
    uint8_t r[SMALL_ORDER_POINTS][32];
} nonces[NONCES];

uint64_t case_random_next(struct case_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint32_t case_random_below(struct case_random *random, uint32_t limit)
{
    return (uint32_t)((case_random_next(random) >> 32) * limit >> 32);
}

void case_random_fill(struct case_random *random, uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)case_random_next(random);
}

static void random_scalar(struct case_random *random, uint8_t scalar[32])
{
    uint8_t wide[64];
    case_random_fill(random, wide, sizeof wide);
    crypto_core_ed25519_scalar_reduce(scalar, wide);
}

/* scalar * B + number * (the point of order eight) */
static void point_of(uint8_t out[32], const uint8_t scalar[32], unsigned number)
{
    int refused = crypto_scalarmult_ed25519_base_noclamp(out, scalar);
    assert(refused == 0);
    for (; number > 0; number--) {
        refused = crypto_core_ed25519_add(out, out, order_8);
        assert(refused == 0);
    }
}

unsigned case_edges(uint8_t edges[CASE_EDGES_MAX][32])
{
    unsigned count = 0;
    /* y from p to 2^255 - 1, of which p and p + 1 are 0 and 1 again, and the canonical 0, 1 and p - 1. */
    for (unsigned low = 0xec; low <= 0xff; low++) {
        memset(edges[count], 0xff, 32);
        edges[count][0] = (uint8_t)low;
        edges[count++][31] = 0x7f;
    }
    for (unsigned y = 0; y < 2; y++) {
        memset(edges[count], 0, 32);
        edges[count++][0] = (uint8_t)y;
    }
    /* The y of order eight and its opposite, p - y. */
    memcpy(edges[count++], order_8, 32);
    unsigned borrow = 0;
    for (unsigned i = 0; i < 32; i++) {
        unsigned p = i == 0 ? 0xed : i == 31 ? 0x7f : 0xff;
        unsigned difference = p - order_8[i] - borrow;
        edges[count][i] = (uint8_t)difference;
        borrow = difference >> 31;
    }
    count++;
    /* Each with the sign bit too, which is a second encoding where x is zero. */
    for (unsigned i = 0, plain = count; i < plain; i++) {
        memcpy(edges[count], edges[i], 32);
        edges[count++][31] |= 0x80;
    }
    return count;
}

unsigned case_keys_make(struct case_random *random, struct case_key keys[CASE_KEYS_MAX])
{
    unsigned count = 0;
    for (unsigned i = 0; i < PLAIN_KEYS + MIXED_KEYS; i++) {
        struct case_key *key = &keys[count++];
        key->signs = true;
        random_scalar(random, key->secret);
        point_of(key->encoding, key->secret, i < PLAIN_KEYS ? 0 : 1 + i % 7);
    }
    uint8_t edges[CASE_EDGES_MAX][32];
    unsigned edge_count = case_edges(edges);
    for (unsigned i = 0; i < edge_count; i++)
        memcpy(keys[count++].encoding, edges[i], 32);
    for (unsigned bit = 0; bit < 256; bit++) {
        memcpy(keys[count].encoding, keys[0].encoding, 32);
        keys[count++].encoding[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (unsigned i = 0; i < RANDOM_KEYS; i++)
        case_random_fill(random, keys[count++].encoding, 32);
    assert(count <= CASE_KEYS_MAX);
    return count;
}

void case_nonces_make(struct case_random *random)
{
    for (unsigned i = 0; i < NONCES; i++) {
        random_scalar(random, nonces[i].scalar);
        for (unsigned t = 0; t < SMALL_ORDER_POINTS; t++)
            point_of(nonces[i].r[t], nonces[i].scalar, t);
    }
}

/* Signs with R = rB plus the small-order point of that number; valid wherever both small parts cancel. */
static void sign(struct test_case *out, const struct case_key *key, unsigned nonce, unsigned small)
{
    uint8_t wide[64], h[32], product[32];
    crypto_hash_sha512_state hash;
    memcpy(out->signature, nonces[nonce].r[small], 32);
    crypto_hash_sha512_init(&hash);
    crypto_hash_sha512_update(&hash, out->signature, 32);
    crypto_hash_sha512_update(&hash, key->encoding, 32);
    crypto_hash_sha512_update(&hash, out->message, out->length);
    crypto_hash_sha512_final(&hash, wide);
    crypto_core_ed25519_scalar_reduce(h, wide);
    crypto_core_ed25519_scalar_mul(product, h, key->secret);
    crypto_core_ed25519_scalar_add(out->signature + 32, product, nonces[nonce].scalar);
}

static void add_bytes(uint8_t number[32], const uint8_t other[32])
{
    unsigned carry = 0;
    for (unsigned i = 0; i < 32; i++) {
        carry += (unsigned)number[i] + other[i];
        number[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

/* A little above or below one of 0, L, 2 L, 2^252, 2^253, 2^255, 2^256. */
static void edge_scalar(struct case_random *random, uint8_t s[32])
{
    static const uint8_t top[] = {0x10, 0x20, 0x80};
    uint32_t which = case_random_below(random, 6);
    memset(s, 0, 32);
    if (which >= 1 && which <= 3)
        s[31] = top[which - 1];
    for (uint32_t times = which >= 4 ? which - 3 : 0; times > 0; times--)
        add_bytes(s, order);
    uint8_t change[32];
    memset(change, case_random_below(random, 2) ? 0xff : 0, sizeof change);
    change[0] = (uint8_t)(change[0] ^ case_random_below(random, 4));
    add_bytes(s, change);
}

static unsigned random_length(struct case_random *random)
{
    /* Mostly the lengths of credentials, and now and then any. */
    return case_random_below(random, 4) > 0 ? 100 + case_random_below(random, 100)
                                            : case_random_below(random, CASE_MESSAGE_MAX + 1);
}

void case_make(struct case_random *random, const struct case_key keys[], unsigned key_count, struct test_case *out)
{
    uint32_t kind = case_random_below(random, 16);
    bool mixed = kind >= 12;
    out->key = mixed ? PLAIN_KEYS + case_random_below(random, MIXED_KEYS) : case_random_below(random, PLAIN_KEYS);
    out->length = random_length(random);
    case_random_fill(random, out->message, out->length);
    unsigned small = mixed ? case_random_below(random, SMALL_ORDER_POINTS) : 0;
    unsigned nonce = case_random_below(random, NONCES);
    sign(out, &keys[out->key], nonce, small);

    uint8_t edges[CASE_EDGES_MAX][32];
    switch (kind) {
    case 0: /* a bit of the signature */
    case 1: {
        uint32_t bit = case_random_below(random, 512);
        out->signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        break;
    }
    case 2: /* a bit or the length of the message */
        if (out->length > 0)
            out->message[case_random_below(random, (uint32_t)out->length)] ^=
                (uint8_t)(1 << case_random_below(random, 8));
        if (case_random_below(random, 4) == 0)
            out->length = out->length > 0 ? out->length - 1 : 0;
        break;
    case 3: /* S + k L */
        for (uint32_t times = case_random_below(random, 15) + 1; times > 0; times--)
            add_bytes(out->signature + 32, order);
        break;
    case 4:
        edge_scalar(random, out->signature + 32);
        break;
    case 5:
        memcpy(out->signature, edges[case_random_below(random, case_edges(edges))], 32);
        break;
    case 6: /* any key: edges, changed bits, off the curve, of somebody else */
        out->key = case_random_below(random, key_count);
        break;
    case 7: /* edges of both, and S zero: R = -h A where both have small order */
        out->key = PLAIN_KEYS + MIXED_KEYS + case_random_below(random, case_edges(edges));
        memcpy(out->signature, edges[case_random_below(random, case_edges(edges))], 32);
        if (case_random_below(random, 2))
            memset(out->signature + 32, 0, 32);
        break;
    case 8: /* R with a part of small order for a key without */
        sign(out, &keys[out->key], nonce, case_random_below(random, SMALL_ORDER_POINTS));
        break;
    default: /* as signed */
        break;
    }
}
