#include "keys/ed25519/scalar.h"

/* L = 2^252 + C. */
#define C0 UINT64_C(0x5812631a5cf5d3ed)
#define C1 UINT64_C(0x14def9dea2f79cd6)
#define TOP_MASK ((UINT64_C(1) << 60) - 1)

static const uint64_t order[4] = {C0, C1, 0, UINT64_C(1) << 60};

static uint64_t load_le64(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* product = a C for `count` words of a; product has count + 2 words. */
static void times_c(const uint64_t *a, unsigned count, uint64_t *product)
{
    memset(product, 0, (count + 2) * sizeof *product);
    for (unsigned i = 0; i < count; i++) {
        unsigned __int128 sum = (unsigned __int128)a[i] * C0 + product[i];
        product[i] = (uint64_t)sum;
        sum = (unsigned __int128)a[i] * C1 + product[i + 1] + (uint64_t)(sum >> 64);
        product[i + 1] = (uint64_t)sum;
        product[i + 2] = (uint64_t)(sum >> 64);
    }
}

/* Cuts `count` words at bit 252: low gets 4 words, high the count - 3 above. */
static void cut(const uint64_t *a, unsigned count, uint64_t low[4], uint64_t *high)
{
    memcpy(low, a, 4 * sizeof *low);
    low[3] &= TOP_MASK;
    for (unsigned i = 3; i < count; i++)
        high[i - 3] = a[i] >> 60 | (i + 1 < count ? a[i + 1] << 4 : 0);
}

/* a += b, or a -= b, modulo 2^256. Returns the carry or the borrow. */
static bool add(uint64_t a[4], const uint64_t b[4])
{
    unsigned __int128 carry = 0;
    for (unsigned i = 0; i < 4; i++) {
        carry += (unsigned __int128)a[i] + b[i];
        a[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return carry != 0;
}

static bool subtract(uint64_t a[4], const uint64_t b[4])
{
    bool borrow = false;
    for (unsigned i = 0; i < 4; i++) {
        unsigned __int128 difference = (unsigned __int128)a[i] - b[i] - borrow;
        a[i] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) != 0;
    }
    return borrow;
}

struct scalar scalar_reduce(const uint8_t wide[64])
{
    /* 2^252 is -C. With x = x1 2^252 + x0, x1 C = y1 2^252 + y0, y1 C = z1 2^252 + z0:
     * x = x0 - y0 + z0 - z1 C. x1 has 260 bits, y1 133, z1 6; z1 C has 131. */
    uint64_t x[8], x0[4], x1[5], product[7], y0[4], y1[4], z0[4], z1[3], last[5];
    for (unsigned i = 0; i < 8; i++)
        x[i] = load_le64(wide + 8 * i);
    cut(x, 8, x0, x1);
    times_c(x1, 5, product);
    cut(product, 7, y0, y1);
    times_c(y1, 3, product); /* y1 has 133 bits: three words */
    cut(product, 5, z0, z1);
    times_c(z1, 1, last);
    last[3] = 0;

    /* Between -2^252 - 2^131 and 2^253: two L more make it positive and below 2^253 + 2 L < 4 L. */
    struct scalar r;
    memcpy(r.word, x0, sizeof r.word);
    add(r.word, z0);
    add(r.word, order);
    add(r.word, order);
    subtract(r.word, y0);
    subtract(r.word, last);
    for (;;) {
        struct scalar less = r;
        if (subtract(less.word, order))
            return r;
        r = less;
    }
}

bool scalar_from_bytes(const uint8_t bytes[32], struct scalar *out)
{
    for (unsigned i = 0; i < 4; i++)
        out->word[i] = load_le64(bytes + 8 * i);
    uint64_t rest[4];
    memcpy(rest, out->word, sizeof rest);
    return subtract(rest, order);
}
