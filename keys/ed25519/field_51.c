#include "keys/ed25519/field_51.h"

struct field field_from_bytes(const uint8_t bytes[32])
{
    uint64_t word[4] = {0};
    for (unsigned i = 0; i < 32; i++)
        word[i / 8] |= (uint64_t)bytes[i] << 8 * (i % 8);
    return field_from_words(word);
}

/* Carries from limb to limb, the last one round to the first times 19: limbs 1 to 4 end below 2^51. */
static struct field carry_round(struct field a)
{
    for (unsigned i = 0; i < 4; i++) {
        a.limb[i + 1] += a.limb[i] >> 51;
        a.limb[i] &= FIELD_LIMB_MASK;
    }
    a.limb[0] += 19 * (a.limb[4] >> 51);
    a.limb[4] &= FIELD_LIMB_MASK;
    return a;
}

void field_to_words(struct field a, uint64_t word[4])
{
    /* The first round leaves less than 2^255 + 2^58 of loose limbs, the second less than 2^255 in masked limbs; then a
     * is below 2p. */
    a = carry_round(carry_round(a));
    /* a >= p exactly where a + 19 >= 2^255: the carry out of the top limb says so, and a - p = a + 19 - 2^255. */
    uint64_t carry = 19;
    for (unsigned i = 0; i < 5; i++)
        carry = (a.limb[i] + carry) >> 51;
    carry *= 19;
    for (unsigned i = 0; i < 5; i++) {
        a.limb[i] += carry;
        carry = a.limb[i] >> 51;
        a.limb[i] &= FIELD_LIMB_MASK;
    }
    word[0] = a.limb[0] | a.limb[1] << 51;
    word[1] = a.limb[1] >> 13 | a.limb[2] << 38;
    word[2] = a.limb[2] >> 26 | a.limb[3] << 25;
    word[3] = a.limb[3] >> 39 | a.limb[4] << 12;
}

void field_to_bytes(struct field a, uint8_t bytes[32])
{
    uint64_t word[4];
    field_to_words(a, word);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(word[i / 8] >> 8 * (i % 8));
}

bool field_is_zero(struct field a)
{
    uint64_t word[4];
    field_to_words(a, word);
    return (word[0] | word[1] | word[2] | word[3]) == 0;
}

bool field_equal(struct field a, struct field b)
{
    return field_is_zero(field_subtract(a, b));
}

bool field_is_odd(struct field a)
{
    uint64_t word[4];
    field_to_words(a, word);
    return word[0] & 1;
}

struct field field_negate(struct field a)
{
    return field_multiply(field_subtract(field_zero, a), field_one);
}

static struct field square_times(struct field a, unsigned count)
{
    while (count--)
        a = field_square(a);
    return a;
}

struct field field_power_p58(struct field a)
{
    struct field a2 = field_square(a);
    struct field a9 = field_multiply(square_times(a2, 2), a);
    struct field a11 = field_multiply(a9, a2);
    /* ones_N is a to the number of N one bits. */
    struct field ones_5 = field_multiply(field_square(a11), a9);
    struct field ones_10 = field_multiply(square_times(ones_5, 5), ones_5);
    struct field ones_20 = field_multiply(square_times(ones_10, 10), ones_10);
    struct field ones_40 = field_multiply(square_times(ones_20, 20), ones_20);
    struct field ones_50 = field_multiply(square_times(ones_40, 10), ones_10);
    struct field ones_100 = field_multiply(square_times(ones_50, 50), ones_50);
    struct field ones_200 = field_multiply(square_times(ones_100, 100), ones_100);
    struct field ones_250 = field_multiply(square_times(ones_200, 50), ones_50);
    return field_multiply(square_times(ones_250, 2), a);
}
